#include "apps/cli/tokens.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace troupe {
namespace {

class Scanner {
 public:
  Scanner(std::string_view text, Semicolon semicolon) : text_(text), semicolon_(semicolon) {}

  absl::Status Scan() {
    while (position_ < text_.size()) {
      const char c = text_[position_];
      absl::Status status;
      if (c == '\\') {
        status = Escape();
      } else if (quote_.has_value()) {
        InsideQuote(c);
      } else if (c == '"' || c == '\'') {
        OpenQuote(c);
      } else {
        Bare(c);
      }
      if (!status.ok()) return status;
    }
    if (!quote_.has_value()) return absl::OkStatus();
    return absl::OutOfRangeError(absl::StrCat("column ", Column(quote_begin_), ": the quote is never closed"));
  }

  std::vector<Statement> Finish() {
    EndStatement();
    return std::move(statements_);
  }

  Typing Where() {
    Typing typing;
    typing.begin = in_word_ ? word_begin_ : text_.size();
    if (in_word_) typing.word = std::move(word_);
    typing.before = std::move(statement_);
    return typing;
  }

 private:
  size_t Column(size_t position) const {
    const std::string_view before = text_.substr(0, position);
    return 1 + static_cast<size_t>(std::count_if(before.begin(), before.end(), [](char c) {
             return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
           }));
  }

  void Begin(bool literal) {
    if (in_word_) return;
    in_word_ = true;
    word_begin_ = position_;
    word_ = {"", literal};
  }

  void EndWord() {
    if (in_word_) statement_.push_back(std::move(word_));
    in_word_ = false;
  }

  void EndStatement() {
    EndWord();
    if (!statement_.empty()) statements_.push_back(std::move(statement_));
    statement_.clear();
  }

  void OpenQuote(char c) {
    Begin(/*literal=*/true);
    quote_ = c;
    quote_begin_ = position_++;
  }

  void InsideQuote(char c) {
    if (c == *quote_) {
      quote_.reset();
    } else {
      word_.text += c;
    }
    ++position_;
  }

  void Bare(char c) {
    if (c == '\n' || (c == ';' && semicolon_ == Semicolon::kSeparates)) {
      EndStatement();
    } else if (c == ' ' || c == '\t' || c == '\r') {
      EndWord();
    } else if (c == '#' && !in_word_ && statement_.empty()) {
      position_ = std::min(text_.find('\n', position_), text_.size());
      return;
    } else {
      Begin(/*literal=*/false);
      word_.text += c;
    }
    ++position_;
  }

  absl::Status Escape() {
    const size_t column = Column(position_);
    if (position_ + 1 == text_.size()) {
      return absl::OutOfRangeError(absl::StrCat("column ", column, ": nothing follows the backslash"));
    }
    Begin(/*literal=*/true);
    static constexpr std::string_view kLetters = "ntr0\\\"'";
    static constexpr std::string_view kBytes{"\n\t\r\0\\\"'", 7};
    const char letter = text_[position_ + 1];
    if (const size_t i = kLetters.find(letter); i != std::string_view::npos) {
      word_.text += kBytes[i];
      position_ += 2;
      return absl::OkStatus();
    }
    const std::string_view hex = text_.substr(position_ + 1, 3);
    if (letter == 'x' && hex.size() == 3 && absl::ascii_isxdigit(hex[1]) && absl::ascii_isxdigit(hex[2])) {
      word_.text += static_cast<char>(std::stoi(std::string(hex.substr(1)), nullptr, 16));
      position_ += 4;
      return absl::OkStatus();
    }
    return absl::InvalidArgumentError(
        absl::StrCat("column ", column, ": no such escape; there are \\n \\t \\r \\0 \\xHH \\\\ \\\" \\'"));
  }

  const std::string_view text_;
  const Semicolon semicolon_;
  size_t position_ = 0;
  std::vector<Statement> statements_;
  Statement statement_;
  Word word_;
  bool in_word_ = false;
  size_t word_begin_ = 0;
  // The kind of quote that is open.
  std::optional<char> quote_;
  size_t quote_begin_ = 0;
};

}  // namespace

absl::StatusOr<std::vector<Statement>> Tokenize(std::string_view text, Semicolon semicolon) {
  Scanner scanner(text, semicolon);
  const absl::Status status = scanner.Scan();
  if (!status.ok()) return status;
  return scanner.Finish();
}

Typing WhereTyping(std::string_view text) {
  Scanner scanner(text, Semicolon::kSeparates);
  // An open quote is where a user often stands.
  scanner.Scan().IgnoreError();
  return scanner.Where();
}

}  // namespace troupe
