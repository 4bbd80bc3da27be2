// One child process per text: started by posix_spawn, awaited on a pidfd, killed when it takes too long.
#include "core/media/prompt_speech.hpp"
#include "core/base/ids.hpp"
#include "core/media/prompt_source.hpp"
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace strowger::media {
namespace {

struct descriptor {
    int fd;
    explicit descriptor(int given) : fd(given) {}
    ~descriptor() {
        if (fd >= 0) ::close(fd);
    }
    descriptor(const descriptor&) = delete;
    descriptor& operator=(const descriptor&) = delete;
};

struct temporary_file {
    std::filesystem::path path;
    ~temporary_file() { ::unlink(path.c_str()); }
};

/// The text in an anonymous file, to be read from its beginning: unlike a pipe it has no reader that can go away.
int text_file(std::string_view text) {
    const int fd = ::memfd_create("prompt-text", MFD_CLOEXEC);
    if (fd < 0) return fd;
    if (::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::lseek(fd, 0, SEEK_SET) == 0) return fd;
    ::close(fd);
    return -1;
}

/// 0, or the reason why the program did not start.
int start(pid_t& child, const std::string& program, const std::vector<std::string>& arguments, int standard_input) {
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, standard_input, STDIN_FILENO);
    posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);

    // The child does not inherit what this process blocks or ignores.
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);

    std::vector<char*> argv{const_cast<char*>(program.c_str())};
    for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    const int failed = ::posix_spawnp(&child, program.c_str(), &files, &attributes, argv.data(), environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return failed;
}

/// True when the child ended by itself and in time; it is gone and reaped afterwards in any case.
bool wait_for(pid_t child, std::chrono::milliseconds timeout, int& status) {
    // Not by the function of the same name: glibc 2.36 declares it with C++ linkage, and linking fails.
    const descriptor end(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    bool ended = false;
    while (!ended) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
        if (left.count() <= 0 || end.fd < 0) break;
        pollfd event{end.fd, POLLIN, 0};
        ended = ::poll(&event, 1, static_cast<int>(std::min<std::int64_t>(left.count(), 60'000))) > 0;
    }
    if (!ended) ::kill(child, SIGKILL);
    while (::waitpid(child, &status, 0) < 0) {
        if (errno == EINTR) continue;
        status = 0; // The process reaps its children elsewhere; whether the file is good decides.
        break;
    }
    return ended;
}

} // namespace

std::string voice_of(std::string_view language) {
    if (language == "en") return "en-us";
    std::string voice;
    int parts = 1;
    for (const char c : language) {
        const bool between = c == '_' || c == '-';
        if (between && ++parts > 2) break;
        voice += between ? '-' : c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    return voice;
}

result<std::string> speakable(std::string_view text) {
    if (text.size() > longest_speech)
        return fail("a text of {} bytes is too long to be spoken; the limit is {}", text.size(), longest_speech);
    std::string out;
    for (const char c : text) {
        const bool control = static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
        if (control || c == ' ') {
            if (!out.empty() && out.back() != ' ') out += ' ';
        } else {
            if (c == '[' && !out.empty() && out.back() == '[') out += ' '; // "[[" begins phonemes
            out += c;
        }
    }
    if (out.ends_with(' ')) out.pop_back();
    if (out.empty()) return fail("there is no text to be spoken");
    return out;
}

result<std::vector<std::int16_t>> speak_text(std::string_view text, std::string_view voice, const std::filesystem::path& scratch,
                                             const speech_options& options) {
    const auto words = speakable(text);
    if (!words) return fail(words);
    const auto known = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
    if (voice.empty() || voice.front() == '-' || !std::all_of(voice.begin(), voice.end(), known))
        return fail("\"{}\" is not the name of a voice; use one like de or en-us", voice.substr(0, 40));

    std::error_code wrong;
    std::filesystem::create_directories(scratch, wrong);
    if (wrong) return fail("{}: the prompt cache cannot be made: {}", scratch.string(), wrong.message());
    const temporary_file sound{scratch / ("speech-" + random_hex(8) + ".wav")};
    const descriptor input(text_file(*words));
    if (input.fd < 0) return fail("speech: no memory for the text: {}", std::strerror(errno));

    pid_t child = 0;
    const std::vector<std::string> arguments{"-b", "1", "-v", std::string(voice), "-w", sound.path.string(), "--stdin"};
    if (const int failed = start(child, options.program, arguments, input.fd); failed != 0)
        return fail("speech: {} cannot be run: {}; install espeak-ng or record the prompt", options.program,
                    std::strerror(failed));
    int status = 0;
    if (!wait_for(child, options.timeout, status))
        return fail("speech: {} took longer than {} ms and was ended", options.program, options.timeout.count());
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return fail("speech: {} failed; is there a voice \"{}\"? (espeak-ng --voices lists them)", options.program, voice);
    const auto file = read_audio_file(sound.path);
    if (!file) return fail("speech: {} made no sound for voice \"{}\": {}", options.program, voice, file.error().text);
    return decode_audio(*file, sound.path);
}

} // namespace strowger::media
