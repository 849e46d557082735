/** Attempts of a hostile payload to reach its pilot, other payloads and its host. */

/** Numbers of system calls of this processor: keyctl and userfaultfd. */
const [keyctl, userfaultfd] = process.arch === 'arm64' ? [219, 282] : [250, 323];

/**
 * Each line is a name and a shell condition that holds if the attempt succeeds. The variables are the
 * host's facts, so that a payload does not fail for want of knowledge.
 */
const attempts = `
read the pilot's key|grep -q . "$KEY_FILE"
read the key through the pilot's root|grep -q . "/proc/$PILOT/root$KEY_FILE"
read the key through any process|cat /proc/[0-9]*/root"$KEY_FILE" | grep -q .
read the pilot's environment|grep -q . "/proc/$PILOT/environ"
read the pilot's command line|grep -q credential "/proc/$PILOT/cmdline"
list the pilot's open files|ls "/proc/$PILOT/fd" | grep -q .
read the pilot's memory map|grep -q . "/proc/$PILOT/maps"
signal the pilot|kill -0 "$PILOT"
signal the pilot's group|bash -c "kill -0 -- -$PILOT_GROUP"
see processes of the host|test "$(ls -d /proc/[0-9]* | wc -l)" -gt 15
list the pilot's scratch space|test "$(ls "$SCRATCH"/payloads-* | wc -l)" -gt 1
read another payload's file|cat "$SCRATCH"/payloads-*/*/w*/secret | grep -q topsecret
write into another payload's folder|for f in "$SCRATCH"/payloads-*/*/w*/secret; do echo forged > "$f.forged"; done; ls "$SCRATCH"/payloads-*/*/w*/secret.forged
read another payload's environment|cat /proc/[0-9]*/environ | grep -q "RHIZOME_JOB_ID=$VICTIM"
signal another payload|for p in $(grep -l "RHIZOME_JOB_ID=$VICTIM" /proc/[0-9]*/environ); do p=\${p#/proc/}; kill -0 "\${p%/environ}" && echo yes; done | grep -q yes
read the records of attempts|grep -q . "$SCRATCH"/payloads-*/*.record/assignment.json
find the socket of the supervisor|test -S "$SCRATCH"/payloads-*/control
find the pipes of logs|ls "$SCRATCH"/payloads-*/pipe-*.out
read the store of other jobs|cat "$STORE"/canary | grep -q canary
write into the store|echo forged > "$STORE/forged"
read the home of the pilot's user|grep -q . "$PILOT_HOME/.netrc"
read the host's /tmp|grep -q . "$HOST_TMP_FILE"
read the host's /dev/shm|grep -q . "$HOST_SHM_FILE"
reach a service on loopback|bash -c ": < /dev/tcp/127.0.0.1/$GATEWAY_PORT"
see abstract sockets of the host|grep -q "$SOCKET_NAME" /proc/net/unix
make a user namespace|unshare --user true
mount a file system|unshare --user --map-root-user --mount mount -t tmpfs none /tmp
use keys of the kernel|perl -e "exit(syscall(${keyctl}, 0, -3, 0) < 0)"
handle page faults of its own|perl -e "exit(syscall(${userfaultfd}, 1) < 0)"
start more processes than allowed|(i=0; while [ $i -lt 400 ]; do sleep 4 & i=$((i+1)); done; echo all) | grep -q all
open more files than allowed|test "$(ulimit -Hn)" -gt 200
`;

/** Names of the attempts. */
export const names = attempts
  .trim()
  .split('\n')
  .map((line) => line.split('|')[0] ?? '');

/** Limits that hold without a sandbox, too. */
export const heldWithout = ['open more files than allowed'];

/** The payload: it prints the name of each attempt that succeeded. */
export const script = [
  ...attempts
    .trim()
    .split('\n')
    .map((line) => {
      const [name = '', ...rest] = line.split('|');
      return `if ( ${rest.join('|')} ) >/dev/null 2>&1; then echo "SUCCEEDED ${name}"; fi`;
    }),
  // Leaves its session, its parents and its environment.
  'env -i PATH=/usr/bin:/bin setsid sh -c "setsid sleep $SURVIVOR & exit 0"',
  '(echo forged > "$HOST_TMP_FILE.forged"; echo forged > "$HOST_SHM_FILE.forged") 2>/dev/null; echo done',
].join('\n');
