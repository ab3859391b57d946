#!/usr/bin/env bash
# A Slurm of two nodes on this machine, for trying the workflow:  bash workflow/slurm_here.sh up|down [FOLDER]
#
# Needs root and Debian's packages slurm-wlm and munge; no systemd. All of it lies in FOLDER (/run/sslib-slurm), but for a link,
# /etc/slurm/slurm.conf: Snakemake takes SLURM_CONF from its jobs, as it does all that begins with SLURM_.
set -euo pipefail

case "${1:-}" in up | down) ;; *) echo "expected up or down, got ${1:-nothing}" >&2 && exit 2 ;; esac
folder="${2:-/run/sslib-slurm}"
link=/etc/slurm/slurm.conf
export SLURM_CONF="$folder/slurm.conf"
nodes=(here1 here2)

down() { # the processes that `up` started, by the numbers they wrote down
    local file number numbers=()
    for file in "$folder"/*.pid; do
        [ -f "$file" ] && numbers+=("$(cat "$file")")
    done
    for number in "${numbers[@]}"; do kill "$number" 2>/dev/null || true; done
    for number in "${numbers[@]}"; do
        for _ in $(seq 50); do kill -0 "$number" 2>/dev/null || break; sleep 0.1; done
        kill -9 "$number" 2>/dev/null || true
    done
}

if [ "$1" = down ]; then
    [ ! -f "$SLURM_CONF" ] || scancel --quiet --user="$(id -un)" 2>/dev/null || true
    down
    [ "$(readlink "$link")" != "$SLURM_CONF" ] || rm "$link"
    rm -rf "$folder"
    exit
fi

for command in slurmctld slurmd munged; do
    command -v "$command" >/dev/null ||
        { echo "$command is not there: apt-get install --no-install-recommends slurm-wlm munge" >&2; exit 3; }
done
[ "$(id -u)" = 0 ] || { echo "expected root: Slurm's daemons start jobs as their users" >&2; exit 3; }
if [ -e "$link" ] && [ "$(readlink "$link")" != "$SLURM_CONF" ]; then
    echo "$link is there: this machine has a Slurm, or another one of these is up" >&2
    exit 3
fi
down
rm -rf "$folder"
mkdir -p "$folder"/{state,log} "$(dirname "$link")"
chmod 755 "$folder"
host="$(hostname -s)" cores="$(nproc)" memory="$(awk '/MemTotal/ { print int($2 / 1024) }' /proc/meminfo)"

cat >"$SLURM_CONF" <<CONF
ClusterName=here
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=17010
SlurmUser=root
AuthType=auth/munge
# A job that is put back waits until its old credential is void, by default two minutes.
AuthInfo=socket=$folder/munge.socket,cred_expire=20
CredType=cred/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool-%n
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd-%n.pid
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd-%n.log
# No cgroups and no systemd: processes are followed by their parents.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
MpiDefault=none
JobCompType=jobcomp/filetxt
JobCompLoc=$folder/log/jobs.txt
ReturnToService=2
JobRequeue=1
KillWait=30
MinJobAge=3600
SchedulerParameters=sched_interval=1,batch_sched_delay=0
# The two of them think that the machine is theirs.
$(for i in "${!nodes[@]}"; do
    echo "NodeName=${nodes[$i]} NodeHostname=$host NodeAddr=127.0.0.1 Port=$((17011 + i)) CPUs=$cores RealMemory=$memory"
done)
PartitionName=here Nodes=$(IFS=,; echo "${nodes[*]}") Default=YES MaxTime=INFINITE State=UP
CONF

ln -sfn "$SLURM_CONF" "$link"
head -c 1024 /dev/urandom >"$folder/munge.key" && chmod 400 "$folder/munge.key"
munged --force --socket="$folder/munge.socket" --key-file="$folder/munge.key" --pid-file="$folder/munged.pid" \
    --log-file="$folder/log/munged.log" --seed-file="$folder/munge.seed"
slurmctld
for node in "${nodes[@]}"; do
    mkdir -p "$folder/spool-$node"
    slurmd -N "$node"
done
for _ in $(seq 600); do
    [ "$(sinfo --noheader --Node --states=idle 2>/dev/null | wc -l)" = "${#nodes[@]}" ] && exit
    sleep 0.2
done
echo "the nodes do not come up, see $folder/log" >&2
exit 1
