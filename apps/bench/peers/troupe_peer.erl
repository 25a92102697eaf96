%% The same programs in Erlang, for `troupe-bench actors`: erl -noshell -run troupe_peer main SECONDS PROGRAM...
%% Prints one line "PROGRAM VALUE" for each; the units are those of the figures of the same names.
%% Written as one writes for speed here: plain processes, selective receives that the compiler can mark by a fresh
%% reference, mailboxes off the heap where they grow long.
-module(troupe_peer).
-export([main/1]).

main([Seconds | Programs]) ->
    Time = round(1.0e9 * number(Seconds)),
    lists:foreach(fun(P) -> io:format("~s ~.6f~n", [P, run(P, Time)]) end, Programs),
    halt(0).

number(Text) ->
    try list_to_float(Text) catch error:badarg -> float(list_to_integer(Text)) end.

run("ping_pong", Time) -> 1.0e9 * per_ball(2, Time);
run("ring", Time) -> 1.0e9 * per_ball(100, Time);
run("counting_1", Time) -> 1 / per_count(1, Time);
run("counting_8", Time) -> 1 / per_count(8, Time);
run("spawn_stop", Time) -> 1 / per_life(Time);
run("ask", Time) -> 1.0e6 * per_ask(Time);
run("idle", _) -> idle_bytes(100000).

%% Repeats Chunk, which does Operations of them, for Time; the seconds of one.
time_each(Time, Operations, Chunk) ->
    Chunk(),
    Begin = erlang:monotonic_time(nanosecond),
    repeat(Begin, Time, 0, Operations, Chunk).

repeat(Begin, Time, Count, Operations, Chunk) ->
    Chunk(),
    case erlang:monotonic_time(nanosecond) - Begin of
        Took when Took >= Time -> Took / 1.0e9 / (Count + Operations);
        _ -> repeat(Begin, Time, Count + Operations, Operations, Chunk)
    end.

%% A ball that goes around as often as it says.
player(Next) ->
    receive
        {ball, 1, Done} -> Done ! done, player(Next);
        {ball, Hops, Done} -> Next ! {ball, Hops - 1, Done}, player(Next);
        stop -> ok
    end.

per_ball(Players, Time) ->
    First = spawn(fun() -> receive {next, Next} -> player(Next) end end),
    Others = ring(Players - 1, First, []),
    First ! {next, hd(Others)},
    Hops = 100000,
    Each = time_each(Time, Hops, fun() ->
        First ! {ball, Hops, self()},
        receive done -> ok end
    end),
    [P ! stop || P <- [First | Others]],
    Each.

ring(0, _, All) -> All;
ring(N, Next, All) ->
    P = spawn(fun() -> player(Next) end),
    ring(N - 1, P, [P | All]).

%% Senders that count up a counter.
counter(N) ->
    receive
        count -> counter(N + 1);
        {total, Ref, From} -> From ! {Ref, N}, counter(N);
        stop -> ok
    end.

sender(Counter) ->
    receive
        %% The total comes after all that this process has sent; it need not to another's question.
        {send, N, Done} -> send(Counter, N), ask_total(Counter), Done ! sent, sender(Counter);
        stop -> ok
    end.

send(_, 0) -> ok;
send(Counter, N) -> Counter ! count, send(Counter, N - 1).

per_count(Senders, Time) ->
    Counter = spawn_opt(fun() -> counter(0) end, [{message_queue_data, off_heap}]),
    All = [spawn(fun() -> sender(Counter) end) || _ <- lists:seq(1, Senders)],
    Messages = 400000,
    Sent = counters:new(1, []),
    Each = time_each(Time, Messages, fun() ->
        [S ! {send, Messages div Senders, self()} || S <- All],
        [receive sent -> ok end || _ <- All],
        counters:add(Sent, 1, Messages),
        Total = counters:get(Sent, 1),
        Total = ask_total(Counter)
    end),
    [P ! stop || P <- [Counter | All]],
    Each.

ask_total(Counter) ->
    Ref = make_ref(),
    Counter ! {total, Ref, self()},
    receive {Ref, N} -> N end.

%% Processes that live for one message.
per_life(Time) ->
    Ended = counters:new(1, [atomics]),
    Lives = 100000,
    Mayfly = fun() -> receive die -> counters:add(Ended, 1, 1) end end,
    Breeder = spawn(fun() -> breeder(Mayfly) end),
    Bred = counters:new(1, []),
    Each = time_each(Time, Lives, fun() ->
        Breeder ! {breed, Lives, self()},
        receive bred -> ok end,
        counters:add(Bred, 1, Lives),
        await(Ended, counters:get(Bred, 1))
    end),
    exit(Breeder, kill),
    Each.

breeder(Mayfly) ->
    receive {breed, N, Done} -> breed(Mayfly, N), Done ! bred, breeder(Mayfly) end.

breed(_, 0) -> ok;
breed(Mayfly, N) -> spawn(Mayfly) ! die, breed(Mayfly, N - 1).

await(Counter, N) ->
    case counters:get(Counter, 1) of
        N -> ok;
        _ -> erlang:yield(), await(Counter, N)
    end.

%% A round trip between processes; without a deadline, which makes it quicker.
oracle() ->
    receive {From, Ref, X} -> From ! {Ref, X}, oracle() end.

per_ask(Time) ->
    Oracle = spawn(fun oracle/0),
    Me = self(),
    spawn(fun() ->
        Asks = 100000,
        Me ! {each, time_each(Time, Asks, fun() -> ask(Oracle, Asks) end)}
    end),
    Each = receive {each, E} -> E end,
    exit(Oracle, kill),
    Each.

ask(_, 0) -> ok;
ask(Oracle, N) ->
    Ref = make_ref(),
    Oracle ! {self(), Ref, N},
    receive {Ref, N} -> ok end,
    ask(Oracle, N - 1).

%% Resident memory of one of N processes that have handled a message and wait.
idle_bytes(N) ->
    Before = resident(),
    Me = self(),
    All = [spawn(fun() -> sleeper(Me) end) || _ <- lists:seq(1, N)],
    [P ! wake || P <- All],
    [receive woken -> ok end || _ <- All],
    Bytes = (resident() - Before) / N,
    [P ! stop || P <- All],
    Bytes.

sleeper(Parent) ->
    receive
        wake -> Parent ! woken, sleeper(Parent);
        stop -> ok
    end.

resident() ->
    {ok, Text} = file:read_file("/proc/self/statm"),
    [_, Pages | _] = binary:split(Text, <<" ">>, [global]),
    4096 * binary_to_integer(Pages).
