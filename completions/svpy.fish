# fish completion of svpy's commands.
#
# Rules: names come from the file system and are data: they are printed, a line each, and fish quotes them. One
# that is no line (a newline or a tab in it) is not offered. Services need no path to be found: `svc -t qm` is
# completed to /service/qmail-. fish loads this for each command; once is enough.

if not set -q __svpy_is_loaded
    set -g __svpy_is_loaded 1

    # Services and their loggers; folders where none of them begins as what is typed does.
    function __svpy_services
        set -l names
        for parent in /service ~/service
            test -d $parent
            or continue
            set -l begin $parent/
            test (path resolve $parent) = (path resolve .)
            and set begin ''
            for path in $parent/*/
                set -l name $begin(string replace -r '/$' '' -- $path | string replace -r '^.*/' '')
                string match -q -r '[\n\t]' -- $path
                and continue
                set -a names $name
                test -d $path/log
                and set -a names $name/log
            end
        end
        set -l typed (commandline -ct | string unescape)
        set -l length (string length -- "$typed")
        if test -n "$typed"; and not contains -- $typed (string sub -l $length -- $names)
            __fish_complete_directories $typed
        end
        test (count $names) -gt 0
        and printf '%s\n' $names
    end

    # Names in /service.
    function __svpy_names
        for path in /service/* ~/service/*
            test -L $path
            and not string match -q -r '[\n\t]' -- $path
            and string replace -r '^.*/' '' -- $path
        end
    end

    # Where the operands before the cursor stand: how many words to pass over, options that take a value.
    function __svpy_operands
        set -l words (commandline -opc)
        set -l takes $argv[2..]
        set -l at (math 2 + $argv[1])
        while test $at -le (count $words)
            if contains -- $words[$at] $takes
                set at (math $at + 1)
            else if not string match -q -- '-?*' $words[$at]
                echo $at
            end
            set at (math $at + 1)
        end
    end

    # Whether there are so many operands before the cursor (`1+`: one or more).
    function __svpy_at
        set -l seen (count (__svpy_operands $argv[2..]))
        set -l place (string replace + '' -- $argv[1])
        test $seen -eq $place
        or test $place != $argv[1] -a $seen -gt $place
    end

    # A command line of its own begins with that operand.
    function __svpy_command
        set -l places (__svpy_operands $argv[2..])
        set -l from (math $argv[1] + 1)
        if test (count $places) -lt $from
            __svpy_line
        else
            set -l words (commandline -opc)
            __svpy_line $words[$places[$from]..]
        end
    end

    function __svpy_is_behind
        contains -- -- (commandline -opc)
    end

    # One begins behind `--`.
    function __svpy_behind
        set -l words (commandline -opc)
        set -l at (math (contains -i -- -- $words) + 1)
        if test $at -gt (count $words)
            __svpy_line
        else
            __svpy_line $words[$at..]
        end
    end

    # What may follow these words, which are none of fish's.
    function __svpy_line
        set -l typed (commandline -ct)
        set -l line (string join ' ' -- (string escape -- $argv) "$typed")
        test -n "$line"
        and complete -C"$line"
    end

    # BEGIN fish: written by completions/tables from svpy/core/catalogue.py
    complete -c svpy -n __fish_use_subcommand -f -a new -d 'write the folder of a service, with its log'
    complete -c svpy -n __fish_use_subcommand -f -a link -d 'have services supervised: link their folders into /service'
    complete -c svpy -n __fish_use_subcommand -f -a unlink -d 'end services and their loggers for good, and remove their links'
    complete -c svpy -n __fish_use_subcommand -f -a upgrade -d 'have the installed svpy take the place of the one that runs'
    complete -c svpy -n __fish_use_subcommand -f -a shutdown -d 'end the machine whose PID 1 is svpy-init'
    complete -c svpy -n __fish_is_first_arg -l help -d 'print the synopsis'
    complete -c svscan -n __fish_is_first_arg -l help -d 'print the synopsis'
    complete -c supervise -n __fish_is_first_arg -l help -d 'print the synopsis'
    complete -c svc -n __fish_is_first_arg -l help -d 'print the synopsis'
    complete -c svok -n __fish_is_first_arg -l help -d 'print the synopsis'
    complete -c svup -n __fish_is_first_arg -l help -d 'print the synopsis'
    complete -c svstat -n __fish_is_first_arg -l help -d 'print the synopsis'
    complete -c svwait -n __fish_is_first_arg -l help -d 'print the synopsis'
    complete -c svcheck -n __fish_is_first_arg -l help -d 'print the synopsis'
    complete -c svlog -n __fish_is_first_arg -l help -d 'print the synopsis'
    complete -c svtop -n __fish_is_first_arg -l help -d 'print the synopsis'
    complete -c multilog -n __fish_is_first_arg -l help -d 'print the synopsis'
    complete -c setuidgid -n __fish_is_first_arg -l help -d 'print the synopsis'
    complete -c setuser -n __fish_is_first_arg -l help -d 'print the synopsis'
    complete -c envuidgid -n __fish_is_first_arg -l help -d 'print the synopsis'
    complete -c envdir -n __fish_is_first_arg -l help -d 'print the synopsis'
    complete -c softlimit -n __fish_is_first_arg -l help -d 'print the synopsis'
    complete -c setlock -n __fish_is_first_arg -l help -d 'print the synopsis'
    complete -c pgrphack -n __fish_is_first_arg -l help -d 'print the synopsis'
    complete -c fghack -n __fish_is_first_arg -l help -d 'print the synopsis'
    complete -c tai64n -n __fish_is_first_arg -l help -d 'print the synopsis'
    complete -c tai64nlocal -n __fish_is_first_arg -l help -d 'print the synopsis'
    complete -c readproctitle -n __fish_is_first_arg -l help -d 'print the synopsis'
    complete -c svscanboot -n __fish_is_first_arg -l help -d 'print the synopsis'
    complete -c svpy-exporter -n __fish_is_first_arg -l help -d 'print the synopsis'
    complete -c svpy-init -n __fish_is_first_arg -l help -d 'print the synopsis'
    complete -c svscan -f
    complete -c svscan -l 'events' -x -a ''
    complete -c svscan -l 'log-stdout'
    complete -c svscan -l 'no-native'
    complete -c svscan -l 'stop-timeout' -x -a ''
    complete -c svscan -n '__svpy_at 0+ 0 --events --stop-timeout' -f -a '(__fish_complete_directories (commandline -ct))'
    complete -c supervise -f
    complete -c supervise -n '__svpy_at 0+ 0' -f -a '(__fish_complete_directories (commandline -ct))'
    complete -c svc -f
    complete -c svc -s 'u' -d 'up'
    complete -c svc -s 'd' -d 'down'
    complete -c svc -s 'o' -d 'once'
    complete -c svc -s 'x' -d 'exit'
    complete -c svc -s 'p' -d 'pause'
    complete -c svc -s 'c' -d 'continue'
    complete -c svc -s 'h' -d 'hup'
    complete -c svc -s 'a' -d 'alarm'
    complete -c svc -s 'i' -d 'interrupt'
    complete -c svc -s 't' -d 'term'
    complete -c svc -s 'k' -d 'kill'
    complete -c svc -s 'q' -d 'quit'
    complete -c svc -s '1' -d 'usr1'
    complete -c svc -s '2' -d 'usr2'
    complete -c svc -s 'w' -d 'winch'
    complete -c svc -s '+' -d 'group'
    complete -c svc -s '=' -d 'process'
    complete -c svc -s 'L' -d 'log'
    complete -c svc -s 'l' -d 'service'
    complete -c svc -n '__svpy_at 0+ 0' -f -a '(__svpy_services)'
    complete -c svok -f
    complete -c svok -n '__svpy_at 0+ 0' -f -a '(__svpy_services)'
    complete -c svup -f
    complete -c svup -s 'L'
    complete -c svup -s 'l'
    complete -c svup -n '__svpy_at 0+ 0' -f -a '(__svpy_services)'
    complete -c svstat -f
    complete -c svstat -s 'l'
    complete -c svstat -l 'json'
    complete -c svstat -l 'check'
    complete -c svstat -n '__svpy_at 0+ 0' -f -a '(__svpy_services)'
    complete -c svwait -f
    complete -c svwait -s 'u'
    complete -c svwait -s 'd'
    complete -c svwait -s 'r'
    complete -c svwait -s 'x'
    complete -c svwait -s 'a'
    complete -c svwait -s 'o'
    complete -c svwait -s 't' -x -a ''
    complete -c svwait -n '__svpy_at 0+ 0 -t' -f -a '(__svpy_services)'
    complete -c svcheck -f
    complete -c svcheck -l 'json'
    complete -c svcheck -n '__svpy_at 0+ 0' -f -a '(__svpy_services)'
    complete -c svlog -f
    complete -c svlog -s 'f'
    complete -c svlog -s 'n' -x -a ''
    complete -c svlog -l 'since' -x -a ''
    complete -c svlog -l 'until' -x -a ''
    complete -c svlog -l 'grep' -x -a ''
    complete -c svlog -s 'F'
    complete -c svlog -l 'utc'
    complete -c svlog -l 'raw'
    complete -c svlog -n '__svpy_at 0+ 0 -n --since --until --grep' -f -a '(__svpy_services)'
    complete -c svtop -f
    complete -c svtop -n '__svpy_at 0+ 0' -f -a '(__fish_complete_directories (commandline -ct))'
    complete -c multilog -f
    complete -c multilog -n '__svpy_at 0+ 0' -f -a '(__fish_complete_directories (commandline -ct))'
    complete -c setuidgid -f
    complete -c setuidgid -n '__svpy_at 0 0' -f -a '(__fish_complete_users)'
    complete -c setuidgid -n '__svpy_at 1+ 0' -f -a '(__svpy_command 1 0)'
    complete -c setuser -f
    complete -c setuser -n '__svpy_at 0 0' -f -a '(__fish_complete_users)'
    complete -c setuser -n '__svpy_at 1+ 0' -f -a '(__svpy_command 1 0)'
    complete -c envuidgid -f
    complete -c envuidgid -n '__svpy_at 0 0' -f -a '(__fish_complete_users)'
    complete -c envuidgid -n '__svpy_at 1+ 0' -f -a '(__svpy_command 1 0)'
    complete -c envdir -f
    complete -c envdir -s 'f' -x -a '(__fish_complete_path (commandline -ct))'
    complete -c envdir -n '__svpy_at 0 0 -f' -f -a '(__fish_complete_directories (commandline -ct))'
    complete -c envdir -n '__svpy_at 1+ 0 -f' -f -a '(__svpy_command 1 0 -f)'
    complete -c softlimit -f
    complete -c softlimit -s 'a' -x -a ''
    complete -c softlimit -s 'c' -x -a ''
    complete -c softlimit -s 'd' -x -a ''
    complete -c softlimit -s 'f' -x -a ''
    complete -c softlimit -s 'l' -x -a ''
    complete -c softlimit -s 'm' -x -a ''
    complete -c softlimit -s 'o' -x -a ''
    complete -c softlimit -s 'p' -x -a ''
    complete -c softlimit -s 'r' -x -a ''
    complete -c softlimit -s 's' -x -a ''
    complete -c softlimit -s 't' -x -a ''
    complete -c softlimit -n '__svpy_at 0+ 0 -a -c -d -f -l -m -o -p -r -s -t' -f -a '(__svpy_command 0 0 -a -c -d -f -l -m -o -p -r -s -t)'
    complete -c setlock -f
    complete -c setlock -s 'n'
    complete -c setlock -s 'N'
    complete -c setlock -s 'x'
    complete -c setlock -s 'X'
    complete -c setlock -n '__svpy_at 0 0' -f -a '(__fish_complete_path (commandline -ct))'
    complete -c setlock -n '__svpy_at 1 0' -f -a '(__svpy_command 1 0)'
    complete -c pgrphack -f
    complete -c pgrphack -n '__svpy_at 0+ 0' -f -a '(__svpy_command 0 0)'
    complete -c fghack -f
    complete -c fghack -n '__svpy_at 0+ 0' -f -a '(__svpy_command 0 0)'
    complete -c tai64n -f
    complete -c tai64nlocal -f
    complete -c readproctitle -f
    complete -c svscanboot -f
    complete -c svscanboot -n '__svpy_at 0+ 0' -f -a '(__fish_complete_directories (commandline -ct))'
    complete -c svpy-exporter -f
    complete -c svpy-exporter -l 'listen' -x -a ''
    complete -c svpy-exporter -n '__svpy_at 0+ 0 --listen' -f -a '(__fish_complete_directories (commandline -ct))'
    complete -c svpy-init -f
    complete -c svpy -f
    complete -c svpy -n '__fish_seen_subcommand_from new' -l 'user' -x -a '(__fish_complete_users)'
    complete -c svpy -n '__fish_seen_subcommand_from new' -l 'log-user' -x -a '(__fish_complete_users)'
    complete -c svpy -n '__fish_seen_subcommand_from new' -l 'limit' -x -a 'memory= files= processes='
    complete -c svpy -n '__fish_seen_subcommand_from new' -l 'tcp' -x -a ''
    complete -c svpy -n '__fish_seen_subcommand_from new' -l 'dir' -x -a '(__fish_complete_directories (commandline -ct))'
    complete -c svpy -n '__fish_seen_subcommand_from new' -l 'log-dir' -x -a '(__fish_complete_directories (commandline -ct))'
    complete -c svpy -n '__fish_seen_subcommand_from new; and __svpy_is_behind' -f -a '(__svpy_behind)'
    complete -c svpy -f
    complete -c svpy -n '__fish_seen_subcommand_from link' -l 'service' -x -a '(__fish_complete_directories (commandline -ct))'
    complete -c svpy -n '__fish_seen_subcommand_from link; and __svpy_at 0+ 1 --service' -f -a '(__fish_complete_directories (commandline -ct))'
    complete -c svpy -f
    complete -c svpy -n '__fish_seen_subcommand_from unlink' -l 'service' -x -a '(__fish_complete_directories (commandline -ct))'
    complete -c svpy -n '__fish_seen_subcommand_from unlink' -l 'timeout' -x -a ''
    complete -c svpy -n '__fish_seen_subcommand_from unlink; and __svpy_at 0+ 1 --service --timeout' -f -a '(__svpy_names)'
    complete -c svpy -f
    complete -c svpy -n '__fish_seen_subcommand_from upgrade; and __svpy_at 0+ 1' -f -a '(__fish_complete_directories (commandline -ct))'
    complete -c svpy -f
    complete -c svpy -n '__fish_seen_subcommand_from shutdown' -s 'h'
    complete -c svpy -n '__fish_seen_subcommand_from shutdown' -s 'p'
    complete -c svpy -n '__fish_seen_subcommand_from shutdown' -s 'r'
    # END fish
end
