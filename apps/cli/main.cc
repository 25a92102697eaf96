#include "apps/cli/main.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <iostream>
#include <thread>

#include "apps/cli/arguments.h"
#include "apps/cli/console.h"
#include "apps/cli/line_editor.h"
#include "apps/cli/repl.h"
#include "apps/cli/session.h"
#include "apps/version.h"
#include "kvstore/client/client.h"

namespace troupe {
namespace {

// Ctrl-C while a command runs. At the prompt it ends the command; elsewhere the program, at once.
// A thread waits for the signal, since ending a call is nothing that a signal handler may do. It must be started before
// any other thread, so that all of them leave the signal to it, and lasts as long as the process.
class Interrupts {
 public:
  Interrupts() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    std::thread([this, signals] {
      for (int signal = 0; sigwait(&signals, &signal) == 0;) {
        Client* const client = at_prompt_.load();
        if (client == nullptr) _exit(static_cast<int>(ExitCode::kInterrupted));
        client->CancelCalls();
      }
    }).detach();
  }

  void EndCallsOf(Client& client) { at_prompt_.store(&client); }
  // The client is going away.
  void EndTheProgram() { at_prompt_.store(nullptr); }

 private:
  std::atomic<Client*> at_prompt_{nullptr};
};

ExitCode Prompt(Session& session, Client& client, Interrupts& interrupts) {
  interrupts.EndCallsOf(client);
  const std::unique_ptr<LineEditor> editor = NewLibeditEditor(HistoryFile(std::getenv));
  RunRepl(session, *editor);
  interrupts.EndTheProgram();
  return ExitCode::kDone;
}

ExitCode Main(const Statement& words) {
  // Leaked: its thread may outlive main.
  Interrupts& interrupts = *new Interrupts;
  Console console{.out = std::cout, .err = std::cerr};
  console.color_out = ColorByDefault(std::getenv, isatty(STDOUT_FILENO));
  console.color_err = ColorByDefault(std::getenv, isatty(STDERR_FILENO));

  const absl::StatusOr<Settings> settings = SettingsFromEnvironment(std::getenv, isatty(STDOUT_FILENO));
  const absl::StatusOr<Invocation> invocation =
      settings.ok() ? ParseArguments(words, *settings, Source::kShell) : settings.status();
  if (!invocation.ok()) {
    const absl::string_view why = invocation.status().message();
    return Printer(console, Settings(), "").Error({why.data(), why.size()}, ExitCode::kUsage);
  }
  if (invocation->settings.version) {
    std::cout << "troupe " << kProductVersion << std::endl;
    return ExitCode::kDone;
  }

  const Settings& chosen = invocation->settings;
  const bool one_command = invocation->command != nullptr || chosen.help;
  const bool commands_on_stdin = !one_command && !chosen.commands.has_value();
  if (!commands_on_stdin) console.values = &std::cin;
  Client client(chosen.endpoints);
  Session session(client, console, chosen);
  if (one_command) return session.Execute(*invocation);
  if (chosen.commands.has_value()) return session.ExecuteText(*chosen.commands);
  if (isatty(STDIN_FILENO)) return Prompt(session, client, interrupts);
  return session.ExecuteScript(std::cin);
}

}  // namespace

int CliMain(int argc, char** argv) {
  std::ios::sync_with_stdio(false);
  // What gRPC has to say to a user, the errors of its calls say.
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);
  Statement words;
  for (int i = 1; i < argc; ++i) words.push_back({argv[i], /*literal=*/false});
  return static_cast<int>(Main(words));
}

}  // namespace troupe
