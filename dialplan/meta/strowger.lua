---@meta
-- The API of Strowger's dialplans, as LuaCATS stubs: the reference for people and for editors (lua-language-server).
--
-- Seconds everywhere, digits are strings, one subject and then one table of options. What waits is marked ⏳: it lets other calls
-- run, and is not possible while files are loaded. What never returns is marked ■. When the caller hangs up, the script stops
-- where it waits; `<close>` variables and `call:on_end` still run, and pcall does not catch it.

---@alias prompt string|made_prompt|table<string, string>|prompt[] A key of the catalogue, say.…, tone(…), silence(…), {en = "…", de = "…"}, or a list
---@alias target string "ext/200", "user/anna", "loop/bob", "sip/…": what can be rung
---@alias action fun(call: call, digits: string)|target|menu What a menu's key does: a function, a target to be dialled or an extension to go to, a menu

---@class made_prompt What say.…, tone and silence return.

---@class party Prints as its number.
---@field number string
---@field name string
---@field withheld? boolean The caller asked not to be shown.
---@field trusted? boolean He is an authenticated user of ours.

---@class source
---@field kind "user"|"trunk"|"line"|"test"|"originated"
---@field name string

---@class diversion
---@field number string
---@field reason string

---@class dial_result
---@field status "answered"|"busy"|"no_answer"|"rejected"|"unavailable"|"unallocated"|"congestion"|"failed"|"forbidden"|"transferred"
---@field cause string The Q.850 cause by name ("normal", "busy") or number
---@field by string The target that answered
---@field ring_seconds number
---@field talk_seconds number
---@field left_by string "callee", "max_talk", "transfer" …; a caller who leaves ends the call instead
---@field forwarded_to? string Where a called phone said its user is, when that was not followed

---@class end_info
---@field cause string
---@field left_by "caller"|"callee"|"script"|"operator"|"limit"|"transfer"
---@field talk_seconds number

---@class play_options
---@field interrupt? string Keys that stop it: "any" (default), "none", or the keys themselves: "12#"
---@field times? integer 1

---@class gather_options
---@field prompt? prompt
---@field min? integer 1
---@field max? integer 1
---@field terminator? string "#": ends the input and is not part of it; "" for none
---@field timeout? number 5: seconds for the first digit, from the prompt's end
---@field between? number 3: seconds between digits
---@field tries? integer 3
---@field valid? string|string[]|fun(digits: string): boolean A pattern, a list of them, or a function that does not wait
---@field on_no_input? prompt
---@field on_invalid? prompt
---@field secret? boolean Keeps the digits out of logs and ledger

---@class dial_target
---@field [1] target
---@field delay? number Starts to ring so many seconds later
---@field ring_for? number Rings at most so long
---@field caller_id? string

---@class dial_options
---@field ring_for? number 30; at most 170
---@field strategy? "all"|"in_order"|"random"|"longest_idle" "all"; longest_idle: in turn, who has not talked for longest first
---@field caller_id? string Shown in place of the caller's number
---@field ringback? string What an answered caller hears meanwhile: "tone", "early", "music" or a prompt
---@field max_talk? number
---@field warn_at? number So many seconds before max_talk is over both hear a beep
---@field confirm? prompt Asked of the one who answers: he presses 1 to take the call, so that a mailbox never wins
---@field announce? prompt Played to the one who answers before he is connected
---@field transfer? "none"|"callee"|"both" Who may transfer by his phone
---@field headers? table<string, string> {["X-Name"] = "text"}
---@field follow_forwarding? boolean true: rings the users that a called phone forwards to (5 at most; never another system's number)
---@field keys? table<string, fun(call: call)> During the talk: {["*1"] = function(call) … end}; while it waits the other one is on hold

---@class menu What menu{…} returns and call:menu takes.
---@field prompt? prompt
---@field keys? table<string, action> {["1"] = "ext/200", ["0"] = operator}
---@field extensions? string|string[] Patterns that may be dialled directly; the call goes to that extension
---@field timeout? number 5
---@field between? number 3
---@field tries? integer 3
---@field otherwise? action Without it call:menu returns nil and "no_input" or "invalid"
---@field on_no_input? prompt "please-try-again"
---@field on_invalid? prompt "invalid"

---A call: what an extension's function gets.
---@class call
---@field id string
---@field from party
---@field to party As dialled
---@field extension string The digits that matched
---@field pattern string What they matched: "_2XX"
---@field source source
---@field user string|nil The authenticated user
---@field diversions diversion[] First redirector first
---@field headers table<string, string> X-… headers
---@field answered boolean
---@field emergency boolean
---@field started number Seconds since 1970
---@field duration number Seconds since it arrived
---@field language string "en"; can be set
---@field vars table<string, string|number|boolean> Your own values; they go along and into the ledger
---@field data table<string, any> The record shared with desktop applications
---@field caller_id string|nil The number shown on legs made from now on; can be set
---@field music string The music it hears on hold; can be set
call = {}

---Tells the caller that it rings.
function call:ring() end

---⏳ Opens early media: play() before the answer is then heard and not billed.
function call:progress() end

---⏳ Answers; a second time is harmless.
function call:answer() end

---■ Ends the call; before the answer this refuses it.
---@param cause? "normal"|"busy"|"rejected"|"congestion"|"unallocated"|integer A name or a Q.850 number
function call:hang_up(cause) end

---⏳ Silence; not an answer.
---@param seconds number
function call:wait(seconds) end

---⏳ Plays to the end or until a key; that key is returned and stays in the buffer. Does not answer.
---@param prompts prompt
---@param options? play_options
---@return string|nil digit
function call:play(prompts, options) end

---⏳ Asks for digits; answers first.
---@param options gather_options
---@return string|nil digits
---@return "no_input"|"invalid"|nil reason
function call:gather(options) end

---⏳ The next key.
---@param options? {timeout: number}
---@return string|nil digit
function call:read_digit(options) end

---Drops what was typed ahead.
function call:flush_digits() end

---⏳ Sends keys to the caller's end; `w` is a pause.
---@param keys string
function call:send_digits(keys) end

---⏳ Lets the caller choose; answers first. Returns what the chosen action returned.
---@param menu menu
---@return any
---@return string|nil reason
function call:menu(menu) end

---⏳ Rings the targets, connects the caller with the first that answers, and returns when that one leaves.
---@param targets target|dial_target|(target|dial_target)[]
---@param options? dial_options
---@return dial_result
function call:dial(targets, options) end

---■ Leaves this script: the call is connected with the target, or goes to that extension.
---@param target string
function call:transfer(target) end

---■ Leaves this script for another extension.
---@param extension string
---@param context? string The same when left out
function call:go_to(extension, context) end

---⏳ Runs an application of a module; `help` on the console lists them.
---@param application string
---@param arguments? table
---@return any
function call:run(application, arguments) end

---Runs after the end of the call, with 10 s and without a caller.
---@param handler fun(info: end_info)
function call:on_end(handler) end

---@param text string
---@param fields? table
function call:log(text, fields) end

---A remark for people, kept in the ledger.
---@param text string
function call:note(text) end

---Declares a context: `context "internal" { ["200"] = function(call) … end, include = {"more"}, invalid = …, fallback = …,
---hint = {["200"] = "user/anna"} }`
---@param name string
---@return fun(extensions: table<string, fun(call: call)|string[]>)
function context(name) end

---Checks a menu while the file is loaded, and returns it.
---@param menu menu
---@return menu
function menu(menu) end

---A tone by its name: "dial", "ring", "busy", "congestion", "beep" …
---@param name string
---@return made_prompt
function tone(name) end

---@param seconds number
---@return made_prompt
function silence(seconds) end

---A number from 0 to 1, from 1 to `low`, or from `low` to `high`.
---@param low? integer
---@param high? integer
---@return number
function random(low, high) end

---What is spoken, in the call's language.
say = {}

---@param digits string
---@return made_prompt
function say.digits(digits) end

---@param number integer
---@return made_prompt
function say.number(number) end

---@param text string
---@return made_prompt
function say.spell(text) end

---@param text string
---@return made_prompt
function say.text(text) end

---"Friday December twenty-fifth twenty twenty-six", in English order.
---@param moment? number|string Seconds since 1970, or "2026-12-25"; now when left out
---@return made_prompt
function say.date(moment) end

---"three forty-five P M"
---@param moment? number|string Seconds since 1970, "2026-12-25 15:45" or "15:45"; now when left out
---@return made_prompt
function say.time(moment) end

---"twelve dollars and fifty cents"
---@param amount number
---@param currency string "USD", "EUR" and "GBP" have names, others are spelled
---@return made_prompt
function say.money(amount, currency) end

---What is kept over a restart; values are strings, numbers, booleans and tables of them.
db = {}

---⏳
---@param key string
---@return any
function db.get(key) end

---⏳ Returns when it is on the disk.
---@param key string
---@param value any
function db.set(key, value) end

---⏳ Gives `change` the value (or nil) and keeps what it returns first, with no other write in between; returns the rest of
---what it returned.
---`change` may run more than once.
---@param key string
---@param change fun(value: any): any, ...
---@return any ...
function db.update(key, change) end

---⏳
---@param key string
function db.delete(key) end

---⏳ `for key, value in db.each("prefix") do`
---@param prefix? string
---@return fun(): string|nil, any
function db.each(prefix) end

json = {}

---@param value any
---@return string
function json.encode(value) end

---@param text string
---@return any value
---@return string|nil reason
function json.decode(text) end

---The engine's clock; a test's calls run in its own time.
time = {}

---Seconds since 1970.
---@return number
function time.now() end

---{year, month, day, hour, min, sec, wday, yday, isdst}, local
---@param moment? number
---@return table
function time.date(moment) end

---As strftime: "%Y-%m-%d %H:%M"
---@param format string
---@param moment? number
---@return string
function time.format(format, moment) end

---log("text %s", …) is log.info.
log = {}

---@param text string
function log.debug(text, ...) end

---@param text string
function log.info(text, ...) end

---@param text string
function log.warn(text, ...) end

---@param text string
function log.error(text, ...) end
