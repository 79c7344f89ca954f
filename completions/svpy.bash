# bash completion of svpy's commands.
#
# Rules:
#
# - names come from the file system and are data: they are compared and handed to readline, which quotes them;
#   nothing here is ever read as bash again (no eval, no compgen -W of a name);
# - a word may be split at what COMP_WORDBREAKS names: it is put together here, and only its last piece is
#   given back;
# - services need no path to be found: `svc -t qm` is completed to /service/qmail-.

# What a command line has: its plain options, those that take a value, what stands where, what behind `--`.
__svpy_form() {
    options='' takes='' operands='' behind=''
    case $1 in
    # BEGIN rows: written by completions/tables from svpy/core/catalogue.py
    'svscan')
        options='--log-stdout --no-native'
        takes='--events:- --stop-timeout:-'
        operands='folders'
        behind='' ;;
    'supervise')
        options=''
        takes=''
        operands='folders'
        behind='' ;;
    'svc')
        options='-u -d -o -x -p -c -h -a -i -t -k -q -1 -2 -w -+ -= -L -l'
        takes=''
        operands='services'
        behind='' ;;
    'svok')
        options=''
        takes=''
        operands='services'
        behind='' ;;
    'svup')
        options='-L -l'
        takes=''
        operands='services'
        behind='' ;;
    'svstat')
        options='-l --json --check'
        takes=''
        operands='services'
        behind='' ;;
    'svwait')
        options='-u -d -r -x -a -o'
        takes='-t:-'
        operands='services'
        behind='' ;;
    'svcheck')
        options='--json'
        takes=''
        operands='services'
        behind='' ;;
    'svlog')
        options='-f -F --utc --raw'
        takes='-n:- --since:- --until:- --grep:-'
        operands='services'
        behind='' ;;
    'svtop')
        options=''
        takes=''
        operands='folders'
        behind='' ;;
    'multilog')
        options=''
        takes=''
        operands='folders'
        behind='' ;;
    'setuidgid')
        options=''
        takes=''
        operands='accounts command'
        behind='' ;;
    'setuser')
        options=''
        takes=''
        operands='accounts command'
        behind='' ;;
    'envuidgid')
        options=''
        takes=''
        operands='accounts command'
        behind='' ;;
    'envdir')
        options=''
        takes='-f:files'
        operands='folders command'
        behind='' ;;
    'softlimit')
        options=''
        takes='-a:- -c:- -d:- -f:- -l:- -m:- -o:- -p:- -r:- -s:- -t:-'
        operands='command'
        behind='' ;;
    'setlock')
        options='-n -N -x -X'
        takes=''
        operands='files command -'
        behind='' ;;
    'pgrphack')
        options=''
        takes=''
        operands='command'
        behind='' ;;
    'fghack')
        options=''
        takes=''
        operands='command'
        behind='' ;;
    'tai64n')
        options=''
        takes=''
        operands=''
        behind='' ;;
    'tai64nlocal')
        options=''
        takes=''
        operands=''
        behind='' ;;
    'readproctitle')
        options=''
        takes=''
        operands='- -'
        behind='' ;;
    'svscanboot')
        options=''
        takes=''
        operands='folders'
        behind='' ;;
    'svpy-exporter')
        options=''
        takes='--listen:-'
        operands='folders'
        behind='' ;;
    'svpy-init')
        options=''
        takes=''
        operands='-'
        behind='' ;;
    'svpy new')
        options=''
        takes='--user:accounts --log-user:accounts --limit:memory=,files=,processes= --tcp:- --dir:folders --log-dir:folders'
        operands='-'
        behind='command' ;;
    'svpy link')
        options=''
        takes='--service:folders'
        operands='folders'
        behind='' ;;
    'svpy unlink')
        options=''
        takes='--service:folders --timeout:-'
        operands='names'
        behind='' ;;
    'svpy upgrade')
        options=''
        takes=''
        operands='folders'
        behind='' ;;
    'svpy shutdown')
        options='-h -p -r'
        takes=''
        operands=''
        behind='' ;;
    # END rows
    *) return 1 ;;
    esac
}

# A word as it will be once bash has read it, as far as people type: quotes and backslashes gone.
__svpy_plain() {
    local text=$1
    text=${text#[\"\']}
    text=${text%[\"\']}
    plain=
    while [[ $text == *\\* ]]; do
        plain+=${text%%\\*}
        text=${text#*\\}
        plain+=${text:0:1}
        text=${text:1}
    done
    plain+=$text
}

# Adds those of the words behind the first that begin with the first, or, if that has no slash, that have a last
# part but `log` which does.
__svpy_matching() {
    local begin=$1 word name
    shift
    for word; do
        name=${word%/log}
        if [[ $word == "$begin"* || ($begin != */* && ${name##*/} == "$begin"*) ]]; then
            found+=("$word")
        fi
    done
}

# The services, each with its logger, in `names`.
__svpy_all_services() {
    local parent path
    names=()
    for parent in /service ~/service; do
        [[ -d $parent ]] || continue
        for path in "$parent"/*; do
            [[ -d $path ]] || continue
            [[ . -ef $parent ]] && path=${path##*/}
            names+=("$path")
            [[ -d $path/log ]] && names+=("$path/log")
        done
    done
}

# Fills `found` with what a word of that kind may be.
__svpy_complete() {
    local kind=$1 begin=$2 names path line
    case $kind in
    services)
        __svpy_all_services
        __svpy_matching "$begin" "${names[@]}"
        [[ ${#found[@]} -gt 0 ]] || __svpy_complete folders "$begin"
        ;;
    names)
        for path in /service/* ~/service/*; do
            path=${path%/}
            [[ -L $path && ${path##*/} == "$begin"* ]] && found+=("${path##*/}")
        done
        ;;
    folders | files)
        [[ $kind == folders ]] && kind=-d || kind=-f
        while IFS= read -r line; do found+=("$line"); done < <(compgen "$kind" -- "$begin")
        ;;
    accounts)
        while IFS= read -r line; do found+=("$line"); done < <(compgen -u -- "$begin")
        ;;
    command)
        while IFS= read -r line; do found+=("$line"); done < <(compgen -c -- "$begin")
        ;;
    *=)
        # The words are this file's own.
        # shellcheck disable=SC2086
        __svpy_matching "$begin" ${kind//,/ }
        compopt -o nospace 2>/dev/null
        ;;
    esac
}

# A command line of its own begins at that word of COMP_WORDS, with that rest of the line: what completes it is
# asked. Where bash-completion's own function for this is not loaded, we know ours.
__svpy_command_at() {
    local function
    for function in _comp_command_offset _command_offset; do
        if declare -F "$function" >/dev/null; then
            "$function" "$1"
            return
        fi
    done
    if [[ $1 -eq $COMP_CWORD ]]; then
        __svpy_complete command "$begin"
        return
    fi
    local COMP_CWORD=$((COMP_CWORD - $1)) COMP_LINE=$2
    local COMP_WORDS=("${COMP_WORDS[@]:$1}")
    _svpy
}

_svpy() {
    local options takes operands behind own found=() plain begin glued=''
    local words=() starts=() rests=() line=$COMP_LINE gap word name at kind i
    # What there is of words, put together again; where in COMP_WORDS each begins.
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        gap=${line%%[!$' \t\n']*}
        line=${line#"$gap"}
        line=${line#"$word"}
        if [[ i -eq 0 || -n $gap || (-z $word && -z $line) ]]; then
            words+=("$word") starts+=("$i") rests+=("$word$line") glued=''
        else
            glued=${words[-1]}
            words[-1]+=$word
        fi
    done
    COMPREPLY=()
    __svpy_plain "${words[-1]}"
    begin=$plain
    # BEGIN own_words: written by completions/tables from svpy/core/catalogue.py
    own='new link unlink upgrade shutdown'
    # END own_words
    name=${words[0]##*/}
    at=1
    if [[ $name == svpy ]]; then
        if [[ ${#words[@]} -le 2 ]]; then
            # shellcheck disable=SC2086  # words of this file
            __svpy_matching "$begin" $own --help
            COMPREPLY=("${found[@]}")
            return
        fi
        name="svpy ${words[1]}"
        at=2
    fi
    __svpy_form "$name" || return
    local seen=0 last=$((${#words[@]} - 1)) kinds pair value='' sequel=
    # shellcheck disable=SC2206  # words of this file
    kinds=($operands)
    local is_chain=
    [[ $operands == *command ]] && is_chain=1
    for (( ; at < last; at++)); do
        word=${words[at]}
        if [[ -n $value ]]; then
            value=''
        elif [[ $word == -- && -n $behind ]]; then
            __svpy_command_at "${starts[at + 1]}" "${rests[at + 1]}"
            [[ ${#found[@]} -eq 0 ]] || COMPREPLY=("${found[@]}")
            return
        elif [[ $word == -?* && (seen -eq 0 || -z $is_chain) ]]; then
            for pair in $takes; do
                [[ ${pair%%:*} == "$word" ]] && value=${pair#*:}
            done
        else
            kind=${kinds[seen < ${#kinds[@]} ? seen : ${#kinds[@]} - 1]}
            if [[ $kind == command ]]; then
                __svpy_command_at "${starts[at]}" "${rests[at]}"
                [[ ${#found[@]} -eq 0 ]] || COMPREPLY=("${found[@]}")
                return
            fi
            ((seen += 1))
        fi
    done
    if [[ -n $value ]]; then
        kind=$value
    elif [[ $begin == --*=* ]]; then
        kind=-
        for pair in $takes; do
            [[ ${pair%%:*} == "${begin%%=*}" ]] && kind=${pair#*:}
        done
        sequel=${begin%%=*}=
        begin=${begin#*=}
    elif [[ $begin == -* && (seen -eq 0 || -z $is_chain) ]]; then
        word=$options
        for pair in $takes; do
            word+=" ${pair%%:*}"
        done
        [[ $last -eq 1 ]] && word+=' --help'
        # shellcheck disable=SC2086  # words of this file
        __svpy_matching "$begin" $word
        COMPREPLY=("${found[@]}")
        return
    else
        kind=-
        [[ ${#kinds[@]} -eq 0 ]] || kind=${kinds[seen < ${#kinds[@]} ? seen : ${#kinds[@]} - 1]}
    fi
    if [[ $kind == command ]]; then
        __svpy_command_at "${starts[last]}" "${rests[last]}"
    else
        __svpy_complete "$kind" "$begin"
        [[ $kind == *= || $kind == accounts ]] || compopt -o filenames 2>/dev/null
    fi
    # Where that has answered by itself, its answer stands.
    [[ ${#found[@]} -gt 0 ]] || return
    __svpy_plain "$glued"
    for word in "${found[@]}"; do
        word=$sequel$word
        [[ $word == "$plain"* ]] && COMPREPLY+=("${word#"$plain"}")
    done
}

# BEGIN completes: written by completions/tables from svpy/core/catalogue.py
complete -F _svpy svpy svscan supervise svc svok svup svstat svwait svcheck svlog svtop multilog setuidgid setuser envuidgid envdir softlimit setlock pgrphack fghack tai64n tai64nlocal readproctitle svscanboot svpy-exporter svpy-init
# END completes
