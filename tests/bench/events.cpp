// What publishing an event costs the thread that does it, in nanoseconds: with nobody to see it, with the log, and from many
// threads at once. Arguments: a folder for the log, and events per thread.
#include "core/base/clock.hpp"
#include "core/events/bus.hpp"
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

namespace {

using namespace strowger;

void measure(const char* name, const std::filesystem::path& folder, std::uint64_t keep, int threads, int count) {
    const real_clock clock;
    worker writer("events", clock);
    event_bus bus(writer, clock);
    event_bus::options o;
    o.folder = folder / name;
    o.keep = keep;
    if (auto opened = bus.open(std::move(o)); !opened) {
        std::fprintf(stderr, "%s\n", opened.error().text.c_str());
        return;
    }
    writer.start();
    const auto publish = [&bus, count] {
        for (int i = 0; i < count; ++i) {
            bus.publish(event_kind::leg_ended, "7f3a90b1c2d4", [] {
                return value::table{{"leg", "9a8b7c6d"}, {"cause", "normal"}, {"q850", 16}};
            });
            // In bursts of a hundred, as calls come: not faster than any disk for seconds.
            if (i % 100 == 99) std::this_thread::sleep_for(std::chrono::milliseconds(2));
        }
    };
    std::vector<double> spent(static_cast<std::size_t>(threads));
    std::vector<std::thread> running;
    for (int t = 0; t < threads; ++t)
        running.emplace_back([&, t] {
            const auto cpu = [] {
                timespec now{};
                ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
                return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
            };
            const auto before = cpu();
            publish();
            spent[static_cast<std::size_t>(t)] = (cpu() - before) / count;
        });
    for (auto& t : running) t.join();
    double total = 0;
    for (const auto s : spent) total += s;
    writer.stop();
    bus.close();
    std::printf("%-28s %d threads %8.0f ns per event, %llu lost\n", name, threads, total / threads,
                static_cast<unsigned long long>(bus.now().lost));
}

} // namespace

int main(int argc, char** argv) {
    const std::filesystem::path folder = argc > 1 ? argv[1] : ".";
    const int count = argc > 2 ? std::atoi(argv[2]) : 100'000;
    measure("nobody-sees-it", folder, 0, 1, count);
    measure("log", folder, 64u << 20, 1, count);
    measure("log-many", folder, 64u << 20, 4, count);
}
