#!/usr/bin/env bash
# A real S3 for tests: a Ceph RADOS Gateway of one node on loopback, keys TESTKEY / TESTSECRET, region "default".
# Needs ceph-mon, ceph-osd, radosgw and ceph-common (Debian package names), 150 MB of memory and some 15 s.
#
# Usage: radosgw-up.sh DIR OWNER RGW_PORT MON_PORT MON_PORT_V1
# Runs in the foreground with all its state in DIR (which must not exist), writes DIR/ready when the gateway answers, and ends,
# with all that it started, when the process OWNER is gone or DIR/stop appears. DIR is removed at the end, unless it failed:
# then DIR/failed says what did.
set -u

D=${1:?directory} OWNER=${2:?pid of the owner} RGW_PORT=${3:?port} MON_PORT=${4:?port} MON_PORT_V1=${5:?port}
PIDS=()

finish() { # finish CODE [WHY]
  # Killed outright: the store daemon would flush for long, and nobody needs what it holds.
  for pid in "${PIDS[@]}"; do kill -9 "$pid" 2> /dev/null; wait "$pid" 2> /dev/null; done
  cd /
  if [ "$1" = 0 ]; then rm -rf "$D"; else echo "$2" > "$D/failed"; fi
  exit "$1"
}

start() { # start NAME COMMAND...: in the background, its output in log/NAME.out
  local name=$1
  shift
  nice "$@" > "log/$name.out" 2>&1 &
  PIDS+=($!)
}

until_true() { # until_true SECONDS WHAT COMMAND...: looks again until the command succeeds
  local end=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" > /dev/null 2>&1; do
    kill -0 "$OWNER" 2> /dev/null || finish 0
    [ $SECONDS -lt $end ] || finish 1 "$what did not come up; see $D/log"
    sleep 0.1
  done
}

write_config() {
  cat > ceph.conf <<CONF
[global]
fsid = $1
mon host = [v2:127.0.0.1:$MON_PORT,v1:127.0.0.1:$MON_PORT_V1]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
public network = 127.0.0.0/8
# Without cephx the gateway hangs.
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
keyring = $D/all.keyring
auth allow insecure global id reclaim = false
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd crush chooseleaf type = 0
mon allow pool size one = true
run dir = $D/run
admin socket = $D/run/\$name.asok
log file = $D/log/\$name.log
# Sparse: takes no more room than is written.
bluestore block size = 17179869184
osd memory target = 939524096
osd pool default pg autoscale mode = off
ms bind ipv6 = false
[mon.a]
mon data = $D/mon.a
mon addr = 127.0.0.1
[osd.0]
osd data = $D/osd.0
[client.rgw.a]
rgw frontends = beast endpoint=127.0.0.1:$RGW_PORT
# Small parts, so that tests cross many of their boundaries; short pages, so that they turn many.
rgw multipart min part size = 65536
rgw max listing results = 20
# What is deleted makes room at once, not after two hours.
rgw gc obj min wait = 5
rgw gc processor period = 5
CONF
}

make_keys() {
  local key
  ceph-authtool -C all.keyring --gen-key -n mon. --cap mon 'allow *' > /dev/null
  for key in client.admin osd.0 client.rgw.a; do
    ceph-authtool all.keyring --gen-key -n $key --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *' > /dev/null
  done
}

main() {
  mkdir "$D" || exit 1
  cd "$D" || exit 1
  trap 'finish 0' TERM INT HUP
  export CEPH_CONF=$D/ceph.conf
  local fsid osd
  fsid=$(cat /proc/sys/kernel/random/uuid)
  osd=$(cat /proc/sys/kernel/random/uuid)
  mkdir -p run log osd.0 rgwdata
  write_config "$fsid"
  make_keys
  monmaptool --create --addv a "[v2:127.0.0.1:$MON_PORT,v1:127.0.0.1:$MON_PORT_V1]" --fsid "$fsid" monmap > log/monmap.out 2>&1
  ceph-mon --mkfs -i a --monmap monmap --keyring all.keyring > log/mkfs-mon.out 2>&1 || finish 1 'ceph-mon cannot make its store'
  start mon ceph-mon -i a -f
  until_true 30 'the monitor' timeout 5 ceph mon stat
  timeout 20 ceph osd new "$osd" > log/osd-new.out 2>&1 || finish 1 'the store was refused'
  timeout 60 ceph-osd -i 0 --mkfs --osd-uuid "$osd" > log/mkfs.out 2>&1 || finish 1 'ceph-osd cannot make its store'
  start osd ceph-osd -i 0 -f
  until_true 60 'the store' sh -c 'timeout 5 ceph osd stat | grep -q "1 up"'
  start rgw radosgw -n client.rgw.a --rgw_data "$D/rgwdata" -f
  until_true 90 'the gateway' curl -s -o /dev/null "http://127.0.0.1:$RGW_PORT/"
  timeout 60 radosgw-admin user create --uid=test --display-name=test --access-key=TESTKEY --secret-key=TESTSECRET \
    > log/user.out 2>&1 || finish 1 'radosgw-admin cannot make a user'
  echo "http://127.0.0.1:$RGW_PORT" > ready.tmp && mv ready.tmp ready
  while kill -0 "$OWNER" 2> /dev/null && [ ! -e stop ]; do sleep 1; done
  finish 0
}

main
