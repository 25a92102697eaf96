// Conversations in testdata/, played and compared. After a change that is meant, look at the difference in
//   TROUPE_REWRITE=1 bazel run --config=opt //kvstore/raft:script_test && git diff
#include <algorithm>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "actor/datadriven.h"
#include "gtest/gtest.h"
#include "kvstore/raft/test_cluster.h"
#include "kvstore/raft/test_describe.h"

namespace troupe::raft {
namespace {

using Words = std::vector<std::string>;

class Script {
 public:
  // One command line; what happened, in lines. After "quietly" nothing: for what only prepares the plot.
  std::string Play(const std::string& line) {
    std::istringstream stream(line);
    Words words;
    for (std::string word; stream >> word;) words.push_back(word);
    const bool quietly = words[0] == "quietly";
    if (quietly) words.erase(words.begin());
    const std::string verb = words[0];
    words.erase(words.begin());
    std::string said;
    if (verb == "cluster") {
      MakeCluster(words);
    } else if (const auto found = Verbs().find(verb); found != Verbs().end()) {
      words.resize(std::max<size_t>(words.size(), 3));
      said = found->second(*this, words);
    } else {
      ADD_FAILURE() << "there is no command " << verb;
    }
    std::string answer;
    for (const std::string& event : cluster_->TakeTrace()) answer += event + "\n";
    return quietly ? "" : answer + said;
  }

 private:
  using Verb = std::string (*)(Script&, const Words&);

  // cluster ann bob learner=cid stranger=dan append-entries=2
  void MakeCluster(const Words& words) {
    ClusterSetup setup{.voters = {}};
    for (const std::string& word : words) {
      const size_t equals = word.find('=');
      const std::string key = word.substr(0, equals);
      const std::string value = equals == std::string::npos ? "" : word.substr(equals + 1);
      if (value.empty()) {
        setup.voters.push_back(word);
      } else if (key == "learner") {
        setup.learners.push_back(value);
      } else if (key == "stranger") {
        setup.strangers.push_back(value);
      } else if (key == "append-entries") {
        setup.options.max_append_entries = std::stoul(value);
      } else if (key == "window") {
        setup.options.max_window_appends = std::stoul(value);
      } else {
        ADD_FAILURE() << "there is no option " << key;
      }
    }
    cluster_.emplace(setup);
    names_.clear();
    for (const auto* group : {&setup.voters, &setup.learners, &setup.strangers}) {
      names_.insert(names_.end(), group->begin(), group->end());
    }
  }

  static std::string Answer(Refusal refusal) { return refusal == Refusal::kNone ? "" : Describe(refusal) + "\n"; }

  // The log as it stands, with what is not on the disk in brackets.
  std::string Status() {
    std::string text;
    for (const std::string& name : names_) {
      text += name + "  ";
      if (!cluster_->up(name)) {
        text += "is down\n";
        continue;
      }
      const Raft& raft = cluster_->at(name);
      text += Describe(raft.role()) + ", term " + std::to_string(raft.term().value()) + ", commit " +
              std::to_string(raft.commit().value()) + ", " + Describe(raft.configuration()) + ", log";
      const Log& log = raft.log();
      if (log.snapshot().index > LogIndex(0)) text += " (up to " + std::to_string(log.snapshot().index.value()) + ")";
      for (LogIndex i = log.snapshot().index + 1; i <= log.last_index(); ++i) {
        const std::string entry = std::to_string(i.value()) + "/t" + std::to_string(log.At(i)->term.value());
        text += i > raft.durable() ? " [" + entry + "]" : " " + entry;
      }
      text += "\n";
    }
    return text;
  }

  std::string Progresses(const std::string& name) {
    static const char* const kStates[] = {"probe", "replicate", "snapshot"};
    std::string text;
    for (const auto& [id, progress] : cluster_->at(name).progress()) {
      text += name + " of " + Name(id) + "  " + kStates[static_cast<int>(progress.state)] + ", match " +
              std::to_string(progress.match.value()) + ", next " + std::to_string(progress.next.value()) + "\n";
    }
    return text;
  }

  // begin ann term=2 vote=bob commit=1 log=1,1,2
  std::string Begin(const Words& words) {
    Past past;
    for (const std::string& word : words) {
      const size_t equals = word.find('=');
      if (equals == std::string::npos) continue;
      const std::string key = word.substr(0, equals);
      std::istringstream value(word.substr(equals + 1));
      if (key == "term") value >> past.term;
      if (key == "vote") value >> past.vote;
      if (key == "commit") value >> past.commit;
      if (key == "log") {
        for (std::string term; std::getline(value, term, ',');) past.log.push_back(std::stoul(term));
      }
    }
    cluster_->Begin(words[0], past);
    return "";
  }

  static const std::map<std::string, Verb>& Verbs() {
    static const std::map<std::string, Verb> verbs = {
        {"begin", [](Script& s, const Words& w) { return s.Begin(w); }},
        {"campaign", [](Script& s, const Words& w) { return s.cluster_->Campaign(w[0]), std::string(); }},
        {"elect", [](Script& s, const Words& w) { return s.cluster_->Elect(w[0]), std::string(); }},
        {"lose-touch", [](Script& s, const Words& w) { return s.cluster_->LoseTouch(w[0]), std::string(); }},
        {"tick", [](Script& s, const Words& w) { return s.cluster_->Tick(w[0], std::stoi(w[1])), std::string(); }},
        {"pass", [](Script& s, const Words& w) { return s.cluster_->Pass(std::stoi(w[0])), std::string(); }},
        {"propose", [](Script& s, const Words& w) { return Answer(s.cluster_->Propose(w[0], w[1]).refusal); }},
        {"read", [](Script& s, const Words& w) { return Answer(s.cluster_->ReadIndex(w[0], std::stoul(w[1]))); }},
        {"transfer", [](Script& s, const Words& w) { return Answer(s.cluster_->Transfer(w[0], w[1])); }},
        {"add-learner", [](Script& s, const Words& w) { return s.Propose(w, Change::Kind::kAddLearner); }},
        {"add-voter", [](Script& s, const Words& w) { return s.Propose(w, Change::Kind::kAddVoter); }},
        {"remove", [](Script& s, const Words& w) { return s.Propose(w, Change::Kind::kRemove); }},
        {"compact",
         [](Script& s, const Words& w) { return s.cluster_->Compact(w[0], std::stoul(w[1])), std::string(); }},
        {"crash", [](Script& s, const Words& w) { return s.cluster_->Crash(w[0]), std::string(); }},
        {"restart", [](Script& s, const Words& w) { return s.cluster_->Restart(w[0]), std::string(); }},
        {"hold-disk", [](Script& s, const Words& w) { return s.cluster_->HoldDisk(w[0]), std::string(); }},
        {"sync", [](Script& s, const Words& w) { return s.cluster_->Sync(w[0]), std::string(); }},
        {"free-disk", [](Script& s, const Words& w) { return s.cluster_->FreeDisk(w[0]), std::string(); }},
        {"hold-acks", [](Script& s, const Words& w) { return s.cluster_->HoldAcks(w[0]), std::string(); }},
        {"ack", [](Script& s, const Words& w) { return s.cluster_->Ack(w[0]), std::string(); }},
        {"free-acks", [](Script& s, const Words& w) { return s.cluster_->FreeAcks(w[0]), std::string(); }},
        {"cut", [](Script& s, const Words& w) { return s.cluster_->Cut(w[0], w[1]), std::string(); }},
        {"delay", [](Script& s, const Words& w) { return s.cluster_->Delay(w[0], w[1]), std::string(); }},
        {"isolate", [](Script& s, const Words& w) { return s.cluster_->Isolate(w[0]), std::string(); }},
        {"heal", [](Script& s, const Words&) { return s.cluster_->Heal(), std::string(); }},
        {"drop", [](Script& s, const Words& w) { return s.cluster_->Drop(w[0], w[1]), std::string(); }},
        {"deliver", [](Script& s, const Words& w) { return s.cluster_->Deliver(w[0], w[1]), std::string(); }},
        {"settle", [](Script& s, const Words&) { return s.cluster_->Stabilise(), std::string(); }},
        {"show-heartbeats", [](Script& s, const Words&) { return s.cluster_->ShowHeartbeats(true), std::string(); }},
        {"hide-heartbeats", [](Script& s, const Words&) { return s.cluster_->ShowHeartbeats(false), std::string(); }},
        {"status", [](Script& s, const Words&) { return s.Status(); }},
        {"progress", [](Script& s, const Words& w) { return s.Progresses(w[0]); }},
    };
    return verbs;
  }

  std::string Propose(const Words& words, Change::Kind kind) {
    return Answer(cluster_->ProposeChange(words[0], kind, words[1]).refusal);
  }

  std::optional<TestCluster> cluster_;
  Words names_;
};

class ScriptTest : public testing::TestWithParam<const char*> {};

TEST_P(ScriptTest, GoesAsWritten) {
  Script script;
  CheckScript(std::string("kvstore/raft/testdata/") + GetParam() + ".txt",
              [&script](const std::string& line) { return script.Play(line); });
}

INSTANTIATE_TEST_SUITE_P(Conversations, ScriptTest,
                         testing::Values("campaign", "pre_vote", "check_quorum", "probe_replicate_snapshot",
                                         "snapshot_to_a_slow_follower", "conflict_truncation", "learner_promotion",
                                         "leader_removes_itself", "transfer", "persist_ack_aba",
                                         "read_through_a_leader_change"),
                         [](const testing::TestParamInfo<const char*>& param) { return std::string(param.param); });

}  // namespace
}  // namespace troupe::raft
