#!/bin/sh
# Process 1 of a run, in the images and in the embedded engine alike.
#
#     entrypoint.sh NONCE
#
# Unpacks /code_execution/submission.zip into /code_execution/workdir, runs `sh main.sh` there
# and ends with its exit code. It and the host shake hands twice, over stdout and stdin
# (posebowl/engines/handshake.py is the host's side):
#
#   1. here:  RS "ready NONCE" LF         unpacked; main.sh does not run yet
#      host:  "go TOKEN" LF, or "go" LF   limits read back and found to hold: the clock starts
#   2. here:  RS "end TOKEN" LF           main.sh ended and no process of it is left
#      host:  any line                    last counters read: this process may end
#
# RS is the byte 036. Without a token there is no second handshake. What comes before the first
# mark is about unpacking, and an end before it means that main.sh never ran: a submission cannot
# claim that, since nothing of it runs until the host has seen the mark and answered. The end of
# stdin instead of an answer means that the host is gone, and ends the run.
#
# Both output streams are one from here on, so that the log keeps their order. Only builtins
# are used after main.sh: a full process table cannot stop them.
set -u
exec 2>&1

# All that the run must read is tried with its own rights, each file: started by root, it is not
# root. The answer is how many it may not read, and the first of them.
data=/code_execution/data
closed=$(find /code_execution/submission.zip $data $data/images -maxdepth 1 ! -type l \
    \( ! -readable -o -type d ! -executable \) \
    \( -name '*.png' -o -path $data/submission_format.csv -o -path $data/images \
    -o -path /code_execution/submission.zip \) 2>/dev/null | sort -u)
if [ -n "$closed" ]; then
    printf '%s\n' "$closed" | wc -l
    printf '%s\n' "$closed" | head -n 3
    exit 72
fi

python -I /opt/posebowl/unpack.py /code_execution/submission.zip /code_execution/workdir || exit
cd /code_execution/workdir || exit

printf '\036ready %s\n' "$1"
read -r word token || exit 71
[ "$word" = go ] || exit 71
exec 3<&0 </dev/null

# A shell starts background jobs with INT and QUIT ignored; main.sh is to get them as a foreground
# program does.
reset=
env --default-signal=INT,QUIT true 2>/dev/null && reset='env --default-signal=INT,QUIT'

# Process 1 gets only signals that it handles; TERM from the host is meant for the whole run.
stop() {
    [ $$ -ne 1 ] || kill -s TERM -- -1
}
trap stop TERM
$reset sh main.sh 3<&- &
main=$!
while :; do
    wait "$main"
    status=$?
    # A signal interrupts wait; it is repeated until main.sh itself has ended.
    kill -s 0 "$main" 2>/dev/null || break
done

if [ -n "$token" ]; then
    # In another namespace, -1 would be the processes of the user.
    [ $$ -ne 1 ] || kill -s KILL -- -1 2>/dev/null
    printf '\036end %s\n' "$token"
    read -r word <&3
fi
exit "$status"
