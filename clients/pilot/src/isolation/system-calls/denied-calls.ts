/**
 * The system calls that a sandboxed payload cannot make: those that the default profile of containers denies
 * to a container without capabilities (`profiles/seccomp` of moby). Numbers are from the kernel's
 * `arch/x86/entry/syscalls/syscall_64.tbl` and `include/uapi/asm-generic/unistd.h`.
 */

/** Number of a call on x86_64 and on aarch64; null where it does not exist. */
export type CallNumbers = readonly [x64: number | null, arm64: number | null];

/** Calls that fail with EPERM. */
export const deniedCalls: Readonly<Record<string, CallNumbers>> = {
  // Mounts and roots.
  fsconfig: [431, 431],
  fsmount: [432, 432],
  fsopen: [430, 430],
  fspick: [433, 433],
  mount: [165, 40],
  mount_setattr: [442, 442],
  move_mount: [429, 429],
  open_tree: [428, 428],
  pivot_root: [155, 41],
  umount2: [166, 39],
  // Namespaces, files and processes past the limits of a namespace.
  fanotify_init: [300, 262],
  kcmp: [312, 272],
  lookup_dcookie: [212, 18],
  open_by_handle_at: [304, 265],
  pidfd_getfd: [438, 438],
  setns: [308, 268],
  // The kernel itself: its code, its keys, its log, and parts with a record of holes.
  _sysctl: [156, null],
  add_key: [248, 217],
  bpf: [321, 280],
  create_module: [174, null],
  delete_module: [176, 106],
  finit_module: [313, 273],
  get_kernel_syms: [177, null],
  init_module: [175, 105],
  kexec_file_load: [320, 294],
  kexec_load: [246, 104],
  keyctl: [250, 219],
  nfsservctl: [180, 42],
  perf_event_open: [298, 241],
  query_module: [178, null],
  request_key: [249, 218],
  syslog: [103, 116],
  sysfs: [139, null],
  uselib: [134, null],
  userfaultfd: [323, 282],
  ustat: [136, null],
  // The machine.
  acct: [163, 89],
  clock_adjtime: [305, 266],
  clock_settime: [227, 112],
  ioperm: [173, null],
  iopl: [172, null],
  quotactl: [179, 60],
  quotactl_fd: [443, 443],
  reboot: [169, 142],
  settimeofday: [164, 170],
  swapoff: [168, 225],
  swapon: [167, 224],
  vhangup: [153, 58],
};

/**
 * Calls that fail with ENOSYS, so that libraries use older ones: clone3 has its flags in memory, which a
 * filter cannot read, and libraries that know io_uring work without it.
 */
export const missingCalls: Readonly<Record<string, CallNumbers>> = {
  clone3: [435, 435],
  io_uring_enter: [426, 426],
  io_uring_register: [427, 427],
  io_uring_setup: [425, 425],
};

/**
 * The last call that the table was compared with: `mseal` of Linux 6.10. Later calls fail with ENOSYS, as on
 * an older kernel, and so do those of the x32 interface, whose numbers are far above.
 */
export const lastKnownCall = 462;

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET. */
const newNamespaces = 0x7e02_0000;
/** CLONE_NEWTIME; in the flags of `clone`, this bit belongs to the number of a signal. */
const newTimeNamespace = 0x80;

/** A condition on the lower 32 bits of an argument; the kernel ignores the upper ones in these calls. */
export type ArgumentCondition =
  | { readonly anyBitOf: number }
  | { readonly oneOf: readonly number[] }
  | { readonly noneOf: readonly number[] };

/** A call that fails with EPERM if its argument meets the condition. */
export interface ArgumentRule {
  readonly numbers: CallNumbers;
  /** Position of the argument, from 0. */
  readonly argument: number;
  readonly deniedIf: ArgumentCondition;
}

/** Calls that are denied depending on an argument. */
export const argumentRules: Readonly<Record<string, ArgumentRule>> = {
  clone: { numbers: [56, 220], argument: 0, deniedIf: { anyBitOf: newNamespaces } },
  unshare: { numbers: [272, 97], argument: 0, deniedIf: { anyBitOf: newNamespaces | newTimeNamespace } },
  // TIOCSTI and TIOCLINUX: input for a terminal that the payload shares with another process.
  ioctl: { numbers: [16, 29], argument: 1, deniedIf: { oneOf: [0x5412, 0x541c] } },
  // AF_VSOCK: the hypervisor, and other virtual machines.
  socket: { numbers: [41, 198], argument: 0, deniedIf: { oneOf: [40] } },
  // PER_LINUX and PER_LINUX32, each with UNAME26, and the query.
  personality: {
    numbers: [135, 92],
    argument: 0,
    deniedIf: { noneOf: [0, 8, 0x2_0000, 0x2_0008, 0xffff_ffff] },
  },
};
