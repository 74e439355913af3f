# What is asked, at a terminal; and that nobody is asked where there is none.

# Variables come from helper.bash and repositories.bash:
# shellcheck disable=SC2154

setup() {
  load helper
  fresh_machine
}

# typing [PROMPT ANSWER]… -- ARGUMENT…
typing() {
  local talk=()
  while [ "$1" != -- ]; do
    talk+=("$1")
    shift
  done
  shift
  python3 "$here/type_into.py" "${talk[@]}" -- "$project/scripts/${script:-install}-loki-grafana.sh" "$@"
}
fresh() { typing "$@" --loki-port "$loki_port" --grafana-port "$grafana_port" --loki-grpc-port "$grpc_port" --no-configure; }

@test "asked for the method, the address and once more: each by its default or what is typed" {
  run fresh 'by apt or docker? [apt]' docker 'shall it listen? [127.0.0.1]' '' 'Go on? [no]' yes --
  ends 0
  says 'Loki asks nobody for a password'
  says 'Loki listens on 127.0.0.1'
  grep -x 'method	docker' "$state"
}

@test "what cannot be is asked again" {
  run fresh 'by apt or docker?' snap 'by apt or docker?' docker 'listen?' nowhere 'listen?' 0.0.0.0 \
    'Go on?' perhaps 'Go on?' '' --
  ends 1
  says 'What protects it'
  says 'Nothing was changed.'
  [ ! -e "$state" ]
}

@test "no, an empty answer, and the end of the input change nothing, wherever they come" {
  before=$(everything)
  for answer in no '' n; do
    run fresh 'Go on?' "$answer" -- --method docker --listen 127.0.0.1
    ends 1
    says 'Nothing was changed.'
  done
  run fresh 'Go on?' EOF -- --method docker --listen 127.0.0.1
  ends 2
  says 'the input ended without an answer: nothing was changed'
  run fresh 'listen?' EOF -- --method docker
  ends 2
  run fresh 'by apt or docker?' EOF --
  ends 2
  [ "$(everything)" = "$before" ]
  not_called '^docker (create|pull|network create)|^sudo'
}

@test "what a flag says is not asked, --yes asks nothing, a second time asks only whether to go on" {
  run fresh -- --yes --method docker
  ends 0
  [[ $output != *'[127.0.0.1]'* && $output != *'Go on'* ]]
  run fresh 'Go on? [no]' yes --
  ends 0
  [[ $output != *'[127.0.0.1]'* ]]
  XDG_STATE_HOME=$machine/other FAKE_SYSTEM=Darwin run fresh 'by brew or docker? [brew]' EOF --
  ends 2
}

@test "Ctrl-C in the middle: it ends at once, says how to go on, and goes on" {
  touch "$FAKE/never-ready"
  run fresh 'waiting for loki' STOP -- --yes --method docker
  ends 130
  says 'interrupted: run this again to go on'
  rm "$FAKE/never-ready"
  install --yes
  run fresh 'Go on?' STOP -- --method docker
  [ "$status" != 0 ]
}

@test "root is asked for after the plan has been agreed to, not before" {
  system debian 12
  run fresh 'Go on?' no -- --method apt --listen 127.0.0.1
  ends 1
  says 'as root, by sudo'
  not_called '^sudo'
}

@test "uninstall asks, and for the data apart" {
  install --yes --method docker
  script=uninstall
  before=$(everything)
  run typing 'Go on? [no]' no --
  ends 1
  run typing 'Go on?' yes 'Delete the data' no -- --purge
  ends 1
  run typing 'Go on?' yes 'Delete the data' EOF -- --purge
  ends 2
  [ "$(everything)" = "$before" ]
  run typing 'Go on?' yes --
  ends 0
  says 'The data stay'
  run typing 'Go on?' yes 'Delete the data' yes -- --purge
  ends 0
  [ ! -e "$state" ]
}

@test "without a terminal nobody is asked: it says which flags to give, and changes nothing" {
  before=$(everything)
  run install
  ends 2
  says 'standard input is no terminal'
  says '--yes'
  run install --method docker --listen 127.0.0.1
  ends 2
  says 'standard input is no terminal'
  [ "$(everything)" = "$before" ]
  install --yes --method docker
  run uninstall
  ends 2
  says 'standard input is no terminal'
}

@test "without a terminal sudo must not ask either" {
  touch "$FAKE/sudo-asks"
  run install --yes --method apt
  ends 2
  says 'sudo asks for a password where nobody can type it'
}
