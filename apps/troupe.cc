// The interactive client. Its parts are in apps/cli; commands.h is the place to begin.
#include "apps/cli/main.h"

int main(int argc, char** argv) { return troupe::CliMain(argc, argv); }
