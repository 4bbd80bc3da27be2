// The program: its sub-commands and their options.
#include "core/control/console_client.hpp"
#include "core/control/phone_client.hpp"
#include "core/control/program.hpp"
#include "strowger_abi.hpp"
#include <CLI/CLI.hpp>
#include <cstdio>

int main(int argc, char** argv) {
    using namespace strowger::control;
    CLI::App app("Strowger, a modular telephony engine", "strowger");
    app.require_subcommand(1);
    app.fallthrough();
    app.footer("`strowger run`, then `strowger console`; the console's command `help` lists what it can do.");
    program_options o;
    console_options c;
    app.add_option("--config", o.configuration, "The configuration file (strowger.toml)");
    app.add_option("--state", o.state, "The state directory, in place of the configured one");
    app.add_option("--socket", o.socket, "The console's socket, in place of <state directory>/strowger.sock");

    auto* run = app.add_subcommand("run", "Run the engine until SIGTERM, Ctrl-C or the console's `core stop`");
    run->add_option("--listen", o.listen, "Address for SIP, in place of the configured ones: 192.0.2.1 or 192.0.2.1:5060");
    run->add_flag("--keep-mapped", o.keep_mapped, "Keep the code of unloaded modules in memory, for leak reports");
    auto* console = app.add_subcommand("console", "Talk to a running engine");
    console->add_option("-x", c.commands, "Run this command and end; the exit status is 1 when it fails")->take_all();
    console->add_flag("--json", c.json, "Print data as JSON");
    phone_options p;
    auto* phone = app.add_subcommand("phone", "Call an extension of a running engine by a telephone in text");
    phone->add_option("extension", p.extension, "What to dial")->required();
    phone->add_option("--from", p.from, "The user who calls");
    phone->add_option("--context", p.context, "Where in the dialplan the call begins, in place of the user's context");
    phone->add_option("--script", p.script, "Steps: keys, wait SECONDS, hear TEXT, h (hang up), with commas between them");
    phone->add_option("--transcript", p.transcript, "Write what was heard and pressed to this file, with times");
    phone->add_option("--limit", p.limit, "Hang up after so many seconds");
    phone->add_flag("--emergency", p.emergency, "Let an emergency number be called");
    phone->footer("Keys are sent as they are typed; h or Ctrl-D hangs up. Exit status: 0 the call ended well, 10 busy,\n"
                  "11 no answer, 12 refused, 13 no such number, 14 another failure, 15 the script did not hear what it\n"
                  "waited for, 1 no call.");
    auto* check = app.add_subcommand("check", "Check the configuration and the dialplan without running them");
    auto* version = app.add_subcommand("version", "Print the version");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
        return app.exit(e) == 0 ? 0 : 2;
    }
    try {
        if (*run) return run_engine(o);
        if (*check) return run_check(o);
        if (*version) return std::puts("strowger " STROWGER_VERSION " (ABI " STROWGER_ABI_TEXT ")") < 0 ? 1 : 0;
        if (!o.socket) {
            const auto settings = load_settings(o);
            if (!settings) {
                std::fprintf(stderr, "%s\n", settings.error().text.c_str());
                return 1;
            }
            o.socket = socket_of(*settings, o);
        }
        c.socket = p.socket = *o.socket;
        if (*console) return run_console(c);
        if (*phone) return run_phone(p);
    } catch (const std::exception& e) {
        std::fprintf(stderr, "strowger: %s\n", e.what());
    }
    return 1;
}
