// How an actor's mailbox and its streams share its turns.
#include "actor/cell_streams.h"

#include <glog/logging.h>

#include <utility>

#include "actor/local_cell.h"

namespace troupe {
namespace internal {

StreamId CellStreams::Add(std::unique_ptr<StreamInlet> inlet, const std::shared_ptr<LocalCell>& cell) {
  const StreamId id = next_id_++;
  inlets_.emplace(id, std::move(inlet)).first->second->Open(cell, id);
  return id;
}

bool CellStreams::Request(StreamId id, uint64_t items) {
  auto inlet = inlets_.find(id);
  if (inlet == inlets_.end()) return false;
  inlet->second->Request(items);
  return true;
}

void CellStreams::CancelAll() {
  ready_.clear();
  inlets_.clear();
}

bool CellStreams::MarkReady(StreamId id) {
  if (!inlets_.contains(id)) return false;
  ready_.push_back(id);
  return true;
}

std::unique_ptr<MailboxItem> CellStreams::Next() {
  while (!ready_.empty()) {
    const StreamId id = ready_.front();
    ready_.pop_front();
    auto inlet = inlets_.find(id);
    if (inlet == inlets_.end()) continue;
    StreamInlet::Taken taken = inlet->second->Take();
    if (taken.then == StreamInlet::Taken::kMore) ready_.push_back(id);
    if (taken.then == StreamInlet::Taken::kEnded) inlets_.erase(inlet);
    if (taken.item != nullptr) return std::move(taken.item);
  }
  return nullptr;
}

}  // namespace internal

StreamId LocalCell::AddStream(std::unique_ptr<internal::StreamInlet> inlet) {
  std::unique_ptr<internal::CellStreams>& streams = relations().streams;
  if (streams == nullptr) streams = std::make_unique<internal::CellStreams>();
  return streams->Add(std::move(inlet), self_);
}

bool LocalCell::CancelStream(StreamId id) { return relations().streams != nullptr && relations_->streams->Cancel(id); }

bool LocalCell::RequestFromStream(StreamId id, uint64_t items) {
  CHECK_GT(items, 0u) << "a request asks for something";
  return relations().streams != nullptr && relations_->streams->Request(id, items);
}

void LocalCell::OnStreamReady(StreamId id) {
  if (relations_ == nullptr || relations_->streams == nullptr) return;
  if (relations_->streams->MarkReady(id)) streams_ready_ = true;
}

void LocalCell::CancelStreams() {
  streams_ready_ = false;
  if (relations_ != nullptr && relations_->streams != nullptr) relations_->streams->CancelAll();
}

std::unique_ptr<MailboxItem> LocalCell::NextBesideStreams(bool user_lane) {
  // What outranks messages outranks items too.
  std::unique_ptr<MailboxItem> item = mailbox_.Pop(/*user_lane=*/false);
  if (item != nullptr || !user_lane) return item;
  internal::CellStreams& streams = *relations_->streams;
  const bool message_first = streams.TakeTurns();
  if (message_first) {
    item = mailbox_.Pop(/*user_lane=*/true);
    if (item != nullptr) return item;
  }
  item = streams.Next();
  if (item != nullptr) return item;
  streams_ready_ = false;
  return message_first ? nullptr : mailbox_.Pop(/*user_lane=*/true);
}

void LocalCell::ComeBackForStreams() {
  if (!takes_mail() || !relations_->streams->BeginComingBack()) return;
  // It outranks the next message and item, so it must stand for one of them: a turn may be one step long.
  Post([this] {
    relations_->streams->CameBack();
    if (!streams_ready_ || !takes_mail()) return;
    std::unique_ptr<MailboxItem> item = NextBesideStreams(/*user_lane=*/true);
    if (item != nullptr) HandleItem(std::move(item));
  });
}

}  // namespace troupe
