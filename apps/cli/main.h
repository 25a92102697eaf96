#ifndef TROUPE_APPS_CLI_MAIN_H_
#define TROUPE_APPS_CLI_MAIN_H_

namespace troupe {

// The program `troupe`: joins the client, the commands and the prompt, and returns the exit code.
int CliMain(int argc, char** argv);

}  // namespace troupe

#endif  // TROUPE_APPS_CLI_MAIN_H_
