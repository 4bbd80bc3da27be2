#include "core/dialplan/lint.hpp"
#include "core/dialplan/api.hpp"
#include "core/dialplan/lua.hpp"
#include <algorithm>
#include <memory>
#include <set>

namespace strowger::dialplan {
namespace {

struct token {
    enum class kind { name, keyword, text, number, sign, end } what = kind::end;
    std::string_view text;
    int line = 0;
    bool is(std::string_view t) const { return what != kind::text && text == t; }
};

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_keyword(std::string_view w) {
    static const std::set<std::string_view> all{"and",      "break",  "do",   "else", "elseif", "end",  "false", "for",
                                                "function", "goto",   "if",   "in",   "local",  "nil",  "not",   "or",
                                                "repeat",   "return", "then", "true", "until",  "while"};
    return all.contains(w);
}

// The text is known to compile, so that nothing here needs an error of its own.
class lexer {
public:
    explicit lexer(std::string_view text) : text_(text) {}
    std::vector<token> all() {
        std::vector<token> out;
        for (;;) {
            skip();
            if (at_ >= text_.size()) break;
            out.push_back(next());
        }
        out.resize(out.size() + 4); // so that looking ahead needs no check
        return out;
    }

private:
    char peek(std::size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
    void advance(std::size_t n) {
        for (; n > 0 && at_ < text_.size(); --n)
            if (text_[at_++] == '\n') ++line_;
    }
    // The length of "[==[", or 0.
    std::size_t long_bracket() const {
        if (peek() != '[') return 0;
        std::size_t n = 1;
        while (peek(n) == '=') ++n;
        return peek(n) == '[' ? n + 1 : 0;
    }
    void skip_long(std::size_t bracket) {
        const auto close = "]" + std::string(bracket - 2, '=') + "]";
        const auto end = text_.find(close, at_);
        advance(end == text_.npos ? text_.size() - at_ : end + close.size() - at_);
    }
    void skip() {
        if (at_ == 0 && peek() == '#')
            while (at_ < text_.size() && peek() != '\n') advance(1);
        for (; at_ < text_.size();) {
            const char c = peek();
            if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v') {
                advance(1);
            } else if (c == '-' && peek(1) == '-') {
                advance(2);
                if (const auto bracket = long_bracket(); bracket != 0) skip_long(bracket);
                else
                    while (at_ < text_.size() && peek() != '\n') advance(1);
            } else {
                return;
            }
        }
    }
    token next() {
        const auto begin = at_;
        token out;
        out.line = line_;
        const char c = peek();
        if (is_letter(c)) {
            while (is_letter(peek()) || is_digit(peek())) advance(1);
            out.what = is_keyword(text_.substr(begin, at_ - begin)) ? token::kind::keyword : token::kind::name;
        } else if (is_digit(c) || (c == '.' && is_digit(peek(1)))) {
            while (is_letter(peek()) || is_digit(peek()) || peek() == '.' ||
                   ((peek() == '+' || peek() == '-') && std::string_view("eEpP").find(text_[at_ - 1]) != std::string_view::npos))
                advance(1);
            out.what = token::kind::number;
        } else if (c == '"' || c == '\'') {
            advance(1);
            while (at_ < text_.size() && peek() != c) advance(peek() == '\\' ? 2 : 1);
            advance(1);
            out.what = token::kind::text;
        } else if (const auto bracket = long_bracket(); bracket != 0) {
            skip_long(bracket);
            out.what = token::kind::text;
        } else {
            const auto two = text_.substr(at_, 2);
            const bool pair =
                two == "==" || two == "~=" || two == "<=" || two == ">=" || two == "::" || two == ".." || two == "//";
            advance(text_.substr(at_, 3) == "..." ? 3 : pair ? 2 : 1);
            out.what = token::kind::sign;
        }
        out.text = text_.substr(begin, at_ - begin);
        return out;
    }

    std::string_view text_;
    std::size_t at_ = 0;
    int line_ = 1;
};

// Follows blocks and their variables, without building a tree.
class reader {
public:
    reader(const std::string& name, std::string_view text) : name_(name), tokens_(lexer(text).all()) { open(false); }

    std::vector<std::string> read() {
        while (tokens_[at_].what != token::kind::end) step();
        return std::move(findings_);
    }

private:
    struct block {
        bool function;
        std::set<std::string_view> names;
        int brackets; // open ones around it
    };

    const token& look(std::size_t ahead = 0) const { return tokens_[std::min(at_ + ahead, tokens_.size() - 1)]; }
    void open(bool function) {
        blocks_.push_back({function, {}, brackets_});
        if (function) {
            ++depth_;
            brackets_ = 0;
        }
    }
    void close() {
        if (blocks_.size() == 1) return;
        if (blocks_.back().function) {
            --depth_;
            brackets_ = blocks_.back().brackets;
        }
        blocks_.pop_back();
    }
    void declare(std::string_view name) { blocks_.back().names.insert(name); }
    template <class... Args> void find(int line, fmt::format_string<Args...> text, Args&&... args) {
        findings_.push_back(fmt::format("{}:{}: ", name_, line) + fmt::format(text, std::forward<Args>(args)...));
    }

    // Global, of the file, or of a function.
    enum class owner { global, file, function };
    owner owner_of(std::string_view name) const {
        int functions = 0;
        for (const auto& b : blocks_) functions += b.function;
        for (auto it = blocks_.rbegin(); it != blocks_.rend(); ++it) {
            if (it->names.contains(name)) return functions > 0 ? owner::function : owner::file;
            functions -= it->function;
        }
        return owner::global;
    }
    void assigned(const token& root, bool field) {
        if (depth_ == 0) return;
        const auto whose = owner_of(root.text);
        if (whose == owner::global && !field)
            find(root.line, "assigning the global '{}' in a call: use a local, call.vars, or db", root.text);
        if (whose == owner::file)
            find(root.line,
                 "changing '{}' of the file in a function: each worker has its own, and calls share it; use call.vars or db",
                 root.text);
    }
    std::size_t after_bracket(std::size_t at) const { // behind the bracket that opens at `at`
        int open_ones = 0;
        for (; at < tokens_.size(); ++at) {
            const auto& t = tokens_[at];
            if (t.is("(") || t.is("[") || t.is("{")) ++open_ones;
            if ((t.is(")") || t.is("]") || t.is("}")) && --open_ones == 0) return at + 1;
        }
        return tokens_.size() - 1;
    }

    void step() {
        const auto& t = look();
        if (t.what == token::kind::keyword) return keyword(t.text);
        if (t.is("(") || t.is("[") || t.is("{")) ++brackets_;
        if (t.is(")") || t.is("]") || t.is("}")) --brackets_;
        if (t.what == token::kind::name) name(t);
        ++at_;
    }
    void name(const token& t) {
        const bool first = at_ == 0 || !(tokens_[at_ - 1].is(".") || tokens_[at_ - 1].is(":") || tokens_[at_ - 1].is("::"));
        if (!first) return;
        if (t.text == "call" && look(1).is(":")) verb(look(2), at_ + 3);
        if (t.text == "call" && look(1).is(".")) fact(look(2));
        if (t.text == "menu" && owner_of("menu") == owner::global) check_options("menu", look(1).is("(") ? at_ + 2 : at_ + 1);
        if (brackets_ != 0) return;
        auto after = at_ + 1;
        while (tokens_[after].is(".") || tokens_[after].is("["))
            after = tokens_[after].is(".") ? after + 2 : after_bracket(after);
        if (tokens_[after].is("=")) assigned(t, after != at_ + 1);
    }
    void keyword(std::string_view word) {
        ++at_;
        if (word == "function") {
            const bool named = look().what == token::kind::name;
            if (named) {
                const auto& root = look();
                if (local_function_) declare(root.text);
                else if (brackets_ == 0) assigned(root, !look(1).is("("));
                while (!look().is("(")) ++at_;
            }
            local_function_ = false;
            open(true);
            declare("self");
            for (++at_; !look().is(")") && look().what != token::kind::end; ++at_)
                if (look().what == token::kind::name) declare(look().text);
            ++at_;
        } else if (word == "local") {
            if (look().is("function")) {
                local_function_ = true;
                return;
            }
            for (;; ++at_) {
                if (look().what == token::kind::name) declare(look().text);
                if (look(1).is("<")) at_ += 3;
                if (!look(1).is(",")) break;
                ++at_;
            }
            ++at_;
        } else if (word == "for") {
            for (; !look().is("in") && !look().is("="); ++at_)
                if (look().what == token::kind::name) loop_names_.push_back(look().text);
            ++at_;
        } else if (word == "do" || word == "then" || word == "repeat") {
            open(false);
            if (word == "do") {
                for (const auto n : loop_names_) declare(n);
                loop_names_.clear();
            }
        } else if (word == "else") {
            close();
            open(false);
        } else if (word == "end" || word == "until" || word == "elseif") {
            close();
        }
    }

    void verb(const token& name, std::size_t arguments) {
        std::vector<const char*> known{"menu"};
        for (const auto& v : call_verbs()) known.push_back(v.name);
        if (std::none_of(known.begin(), known.end(), [&](const char* k) { return name.text == k; })) {
            find(name.line, "a call has no `{}`{}", name.text, suggestion(name.text, known));
            return;
        }
        const auto full = "call:" + std::string(name.text);
        if (option_names(full).empty()) return;
        if (!tokens_[arguments].is("(")) return check_options(full, arguments);
        auto at = arguments + 1;
        if (name.text == "play" || name.text == "dial") { // there the options come second
            while (at + 1 < tokens_.size() && !tokens_[at].is(",") && !tokens_[at].is(")")) {
                const auto& t = tokens_[at];
                if (t.is("function")) return;
                at = t.is("(") || t.is("{") || t.is("[") ? after_bracket(at) : at + 1;
            }
            if (!tokens_[at].is(",")) return;
            ++at;
        }
        check_options(full, at);
    }
    void fact(const token& name) {
        std::vector<const char*> known{"menu"};
        for (const auto& v : call_verbs()) known.push_back(v.name);
        for (const auto& f : call_facts()) known.push_back(f.name);
        if (std::none_of(known.begin(), known.end(), [&](const char* k) { return name.text == k; }))
            find(name.line, "a call has no `{}`{}", name.text, suggestion(name.text, known));
    }
    void check_options(const std::string& verb, std::size_t at) {
        if (!tokens_[at].is("{")) return;
        const auto known = option_names(verb);
        const auto end = after_bracket(at);
        for (++at; at < end;) {
            const auto& t = tokens_[at];
            if (t.is("function")) return; // the bodies of functions have tables of their own
            if (t.is("(") || t.is("{") || t.is("[")) {
                at = after_bracket(at);
                continue;
            }
            const bool begins = tokens_[at - 1].is("{") || tokens_[at - 1].is(",") || tokens_[at - 1].is(";");
            if (t.what == token::kind::name && begins && tokens_[at + 1].is("=") &&
                std::none_of(known.begin(), known.end(), [&](const char* k) { return t.text == k; }))
                find(t.line, "{}: no option `{}`{}", verb, t.text, suggestion(t.text, known));
            ++at;
        }
    }

    const std::string& name_;
    std::vector<token> tokens_;
    std::size_t at_ = 0;
    std::vector<block> blocks_;
    std::vector<std::string_view> loop_names_;
    bool local_function_ = false;
    int depth_ = 0, brackets_ = 0;
    std::vector<std::string> findings_;
};

} // namespace

std::vector<std::string> lint(const std::string& name, const std::string& text) {
    const std::unique_ptr<lua_State, void (*)(lua_State*)> L(luaL_newstate(), lua_close);
    if (luaL_loadbufferx(L.get(), text.data(), text.size(), ("@" + name).c_str(), "t") != LUA_OK)
        return {lua_tostring(L.get(), -1)};
    return reader(name, text).read();
}

} // namespace strowger::dialplan
