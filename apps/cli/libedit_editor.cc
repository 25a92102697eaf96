#include <fcntl.h>
#include <histedit.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "apps/cli/line_editor.h"

namespace troupe {
namespace {

constexpr int kHistoryLines = 1000;

// libedit drops what the locale cannot decode, and the C locale can decode ASCII only.
void UseUtf8() {
  if (setlocale(LC_CTYPE, "") != nullptr && std::string_view(nl_langinfo(CODESET)) == "UTF-8") return;
  setlocale(LC_CTYPE, "C.UTF-8");
}

std::string CommonBeginning(const std::vector<std::string>& words) {
  std::string common = words[0];
  for (const std::string& word : words) {
    const auto differs = std::mismatch(common.begin(), common.end(), word.begin(), word.end());
    common.erase(differs.first, common.end());
  }
  // Not through the middle of a character.
  while (!common.empty() && common.size() < words[0].size() && (words[0][common.size()] & 0xc0) == 0x80) {
    common.pop_back();
  }
  return common;
}

class LibeditEditor final : public LineEditor {
 public:
  explicit LibeditEditor(std::string history_file) : history_file_(std::move(history_file)) {
    UseUtf8();
    // Prompts are no data, so they do not go into a file or pipe.
    screen_ = isatty(STDOUT_FILENO) ? stdout : stderr;
    editor_ = el_init("troupe", stdin, screen_, stderr);
    history_ = history_init();
    HistEvent event;
    history(history_, &event, H_SETSIZE, kHistoryLines);
    history(history_, &event, H_SETUNIQUE, 1);
    if (!history_file_.empty()) history(history_, &event, H_LOAD, history_file_.c_str());
    el_set(editor_, EL_CLIENTDATA, this);
    el_set(editor_, EL_EDITOR, "emacs");
    el_set(editor_, EL_HIST, history, history_);
    el_set(editor_, EL_PROMPT, &LibeditEditor::Prompt);
    // Ctrl-C is a key while a line is edited, no signal; so then is Ctrl-Z, which has to be brought back.
    el_set(editor_, EL_SETTY, "-d", "-isig", nullptr);
    el_set(editor_, EL_ADDFN, "troupe-complete", "complete the word", &LibeditEditor::OnTab);
    el_set(editor_, EL_ADDFN, "troupe-clear", "give the line up", &LibeditEditor::OnCtrlC);
    el_set(editor_, EL_ADDFN, "troupe-stop", "stop the program", &LibeditEditor::OnCtrlZ);
    el_set(editor_, EL_BIND, "^I", "troupe-complete", nullptr);
    el_set(editor_, EL_BIND, "^C", "troupe-clear", nullptr);
    el_set(editor_, EL_BIND, "^Z", "troupe-stop", nullptr);
    el_set(editor_, EL_BIND, "^R", "em-inc-search-prev", nullptr);
    // Redraws when the window changes, and restores the terminal when the program is stopped.
    el_set(editor_, EL_SIGNAL, 1);
  }

  ~LibeditEditor() override {
    history_end(history_);
    el_end(editor_);
  }

  void set_completer(Completer completer) override { completer_ = std::move(completer); }

  Outcome Read(const std::string& prompt, std::string& line) override {
    prompt_ = prompt;
    cleared_ = false;
    int size = 0;
    const char* const text = el_gets(editor_, &size);
    if (cleared_) return Outcome::kCleared;
    if (text == nullptr || size <= 0) {
      std::fputc('\n', screen_);
      std::fflush(screen_);
      return Outcome::kEnd;
    }
    line.assign(text, static_cast<size_t>(size));
    if (!line.empty() && line.back() == '\n') line.pop_back();
    return Outcome::kLine;
  }

  void Remember(const std::string& line) override {
    HistEvent event;
    history(history_, &event, H_ENTER, line.c_str());
    if (history_file_.empty()) return;
    std::error_code error;
    const std::filesystem::path directory = std::filesystem::path(history_file_).parent_path();
    if (!std::filesystem::exists(directory, error)) {
      std::filesystem::create_directories(directory, error);
      std::filesystem::permissions(directory, std::filesystem::perms::owner_all, error);
    }
    const int fd = open(history_file_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return;
    // An older file may have been open to others.
    if (fchmod(fd, 0600) != 0) {
      close(fd);
      return;
    }
    FILE* const file = fdopen(fd, "w");
    history(history_, &event, H_SAVE_FP, file);
    std::fclose(file);
  }

 private:
  static LibeditEditor* Self(EditLine* editor) {
    void* self = nullptr;
    el_get(editor, EL_CLIENTDATA, &self);
    return static_cast<LibeditEditor*>(self);
  }

  static char* Prompt(EditLine* editor) { return Self(editor)->prompt_.data(); }

  static unsigned char OnCtrlC(EditLine* editor, int) {
    LibeditEditor* const self = Self(editor);
    self->cleared_ = true;
    std::fputs("^C\n", self->screen_);
    std::fflush(self->screen_);
    // Ends el_gets; what it returns is not looked at.
    return CC_EOF;
  }

  static unsigned char OnCtrlZ(EditLine*, int) {
    kill(getpid(), SIGTSTP);
    return CC_REFRESH;
  }

  static unsigned char OnTab(EditLine* editor, int) { return Self(editor)->Complete(); }

  unsigned char Complete() {
    if (!completer_) return CC_ERROR;
    const LineInfo* const info = el_line(editor_);
    const std::string before(info->buffer, info->cursor);
    const Completion completion = completer_(before);
    unsigned char result = CC_ERROR;
    if (!completion.hint.empty() || completion.words.size() > 1) result = CC_REDISPLAY;
    if (!completion.hint.empty()) std::fprintf(screen_, "\n%s\n", completion.hint.c_str());
    if (completion.words.empty()) return result;

    const bool only = completion.words.size() == 1;
    const std::string word = CommonBeginning(completion.words) + (only ? " " : "");
    const std::string typed = before.substr(completion.begin);
    if (word.size() > typed.size() || only) {
      Replace(typed, word);
      return result == CC_REDISPLAY ? CC_REDISPLAY : CC_REFRESH;
    }
    std::fputc('\n', screen_);
    for (const std::string& choice : completion.words) std::fprintf(screen_, "%s  ", choice.c_str());
    std::fputc('\n', screen_);
    return CC_REDISPLAY;
  }

  // Before the cursor.
  void Replace(std::string_view typed, std::string_view word) {
    const size_t common = word.substr(0, typed.size()) == typed ? typed.size() : 0;
    typed.remove_prefix(common);
    // libedit counts characters here.
    const auto begins_one = [](char c) { return (c & 0xc0) != 0x80; };
    el_deletestr(editor_, static_cast<int>(std::count_if(typed.begin(), typed.end(), begins_one)));
    el_insertstr(editor_, std::string(word.substr(common)).c_str());
  }

  const std::string history_file_;
  FILE* screen_ = nullptr;
  EditLine* editor_ = nullptr;
  History* history_ = nullptr;
  Completer completer_;
  std::string prompt_;
  // Whether Ctrl-C ended the line being read.
  bool cleared_ = false;
};

}  // namespace

std::unique_ptr<LineEditor> NewLibeditEditor(std::string history_file) {
  return std::make_unique<LibeditEditor>(std::move(history_file));
}

}  // namespace troupe
