/**
 * Lines that known programs write when they fail, in order of preference: of two patterns with the same
 * certainty, the earlier one counts. `log-patterns.test.ts` has a real line for each of them.
 */
// cspell:ignoreRegExp /line: .*/g
import type { CauseKind } from './diagnosis.types.js';

/** Pattern of a line in a log. */
export interface LogPattern {
  /** Unique. */
  readonly name: string;
  readonly kind: CauseKind;
  /** One sentence for a person. */
  readonly statement: string;
  /** Certainty that a job whose log ends like this failed because of it, 0 to 1. */
  readonly confidence: number;
  /** Matches a single line of at most 500 characters, without nested repetitions. */
  readonly line: RegExp;
}

const specific = 0.9;
const usual = 0.75;
const general = 0.5;

/** All patterns. */
export const logPatterns: readonly LogPattern[] = [
  {
    ...{ name: 'cuda-memory', kind: 'DEVICE', confidence: specific },
    statement: 'The memory of the GPU was exhausted.',
    line: /CUDA (error: )?out of memory|cuda(Malloc|MemcpyAsync|HostAlloc)\w* failed: out of memory|CUDA_ERROR_OUT_OF_MEMORY|cudaErrorMemoryAllocation|OutOfMemoryError: HIP|hipErrorOutOfMemory/,
  },
  {
    ...{ name: 'cuda-driver', kind: 'DEVICE', confidence: specific },
    statement: 'The driver of the GPU does not fit the CUDA runtime or the libraries of the payload.',
    line: /CUDA driver version is insufficient|Driver\/library version mismatch|cudaErrorInsufficientDriver|driver on your system is too old|system has unsupported display driver/,
  },
  {
    ...{ name: 'cuda-architecture', kind: 'DEVICE', confidence: specific },
    statement: 'The program contains no code for the architecture of the GPU.',
    line: /no kernel image is available for execution|hipErrorNoBinaryForGpu|device kernel image is invalid/,
  },
  {
    ...{ name: 'gpu-absent', kind: 'DEVICE', confidence: specific },
    statement: 'The payload found no GPU that it can use.',
    line: /no CUDA-capable device|No CUDA GPUs are available|Found no NVIDIA driver|couldn't communicate with the NVIDIA driver/,
  },
  {
    ...{ name: 'gpu-fault', kind: 'HOST', confidence: specific },
    statement: 'A GPU of the host reported a fault.',
    line: /uncorrectable ECC error|GPU has fallen off the bus|Xid \(PCI/,
  },
  {
    ...{ name: 'gpu-program', kind: 'PROGRAM', confidence: specific },
    statement: 'The program failed in its own code on the GPU.',
    line: /device-side assert triggered|an illegal memory access was encountered/,
  },
  {
    ...{ name: 'license', kind: 'LICENSE', confidence: specific },
    statement: 'The program got no licence.',
    line: /[Ll]icen[sc]e (checkout|server|manager|file)\b.*([Ff]ailed|[Ee]rror|[Dd]enied|down|unavailable|not (respond|found|set)|[Cc]annot|[Cc]ould not)|[Ll]icen[sc]e [Ee]rror|(FLEXnet|FlexNet)\b.*[Ee]rror|LM_LICENSE_FILE is not set|[Nn]o (valid )?licen[sc]e (file|available|found|for)|Licensed number of users already reached/,
  },
  {
    ...{ name: 'memory-killed', kind: 'MEMORY', confidence: specific },
    statement: 'The kernel killed a process of the payload because memory was short.',
    line: /oom-kill|[Oo]ut of memory: Kill(ed)? process|OOM [Kk]illed|oom_kill event|Memory cgroup out of memory/,
  },
  {
    ...{ name: 'memory', kind: 'MEMORY', confidence: specific },
    statement: 'The payload could not allocate memory.',
    line: /std::bad_alloc|MemoryError|[Cc]annot allocate memory|java\.lang\.OutOfMemoryError|JavaScript heap out of memory|Unable to allocate .* for an array|cannot allocate vector of size|insufficient virtual memory/,
  },
  {
    ...{ name: 'disk-full', kind: 'DISK', confidence: specific },
    statement: 'No space was left on a disk.',
    line: /No space left on device|[Dd]isk quota exceeded|ENOSPC|File too large|Errno 122/,
  },
  {
    ...{ name: 'cvmfs', kind: 'SOFTWARE', confidence: specific },
    statement: 'Software in CVMFS could not be read on this host.',
    line: /\/cvmfs\/.*(Transport endpoint is not connected|Input\/output error|Too many levels of symbolic links)|CernVM-FS: .*failed|\/cvmfs\/\S+: No such file or directory/,
  },
  {
    ...{ name: 'container-start', kind: 'CONTAINER', confidence: specific },
    statement: 'The container could not be started.',
    line: /FATAL: +(while|container|could not open image|failed to|unable to).*(container|image|namespace|squashfs|mount|rootfs)|FATAL: +(container|could not open image)\b|Failed to (create|start) container|OCI runtime (exec|create)? ?(failed|error)|newuidmap|fuse: device not found|could not open image/,
  },
  {
    ...{ name: 'image-missing', kind: 'SOFTWARE', confidence: specific },
    statement: 'The container image does not exist, or the registry refuses it.',
    line: /manifest unknown|pull access denied|unauthorized: authentication required/,
  },
  {
    ...{ name: 'container-image', kind: 'CONTAINER', confidence: specific },
    statement: 'The container image could not be fetched.',
    line: /Failed to pull image|initializing source docker|toomanyrequests/,
  },
  {
    ...{ name: 'expired-credential', kind: 'CREDENTIAL', confidence: specific },
    statement: 'A token, proxy or certificate was not accepted.',
    line: /certificate has expired|certificate verify failed|[Tt]oken (has )?expired|ExpiredSignature|proxy (has|is) expired|[Aa]uthentication (failed|error)|401 Unauthorized|403 Forbidden|Auth failed: No protocols left/,
  },
  {
    ...{ name: 'database', kind: 'NETWORK', confidence: usual },
    statement: 'A database or a service that the payload uses did not answer.',
    line: /ORA-\d{5}|[Ff]rontier.*(error:|: error|request failed|timed out|timeout)|could not connect to server: |OperationalError: .*connect|MySQL server has gone away/,
  },
  {
    ...{ name: 'name-resolution', kind: 'NETWORK', confidence: specific },
    statement: 'The name of a host could not be resolved.',
    line: /Temporary failure in name resolution|Name or service not known|Could not resolve host|getaddrinfo (failed|ENOTFOUND|EAI_AGAIN)/,
  },
  {
    ...{ name: 'stage-in', kind: 'INPUT', confidence: specific },
    statement: 'An input could not be read from its storage.',
    line: /\[ERROR\] Server responded with an error: \[30(05|11)\]|[Uu]nable to open file .*root:\/\/|TNetXNGFile::Open.*ERROR|Error in <TNetXNGFile|stage-?in failed|gfal-copy error|SRM_INVALID_PATH|H5Fopen.*unable to open file/,
  },
  {
    ...{ name: 'corrupt-input', kind: 'INPUT', confidence: specific },
    statement: 'An input is damaged or incomplete.',
    line: /Error in <T(Basket|Buffer|BufferFile|Key|Tree)[^>]*>|Error in <TFile::(ReadBuffer|ReadKeys|Recover|Init)>|file .* is truncated|probably not closed|R__unzip|(gzip|bzip2|xz|zip|tar)\S*:.*unexpected end of file|CRC (check (error|failed)|error)|checksum mismatch(?! count)|not a gzip file|zlib.*(incorrect|invalid)|[Tt]runcated file/,
  },
  {
    ...{ name: 'stage-out', kind: 'OUTPUT', confidence: specific },
    statement: 'An output could not be written to its storage.',
    line: /stage-?out failed|SRM_NO_FREE_SPACE|SRM_FAILURE|(xrdcp|gfal|root:\/\/|davs:\/\/).*([Ff]ailed|ERROR|error).*(write|overwrite|file exists)|(xrdcp|gfal).*file exists|[Uu]pload failed/,
  },
  {
    ...{ name: 'network', kind: 'NETWORK', confidence: usual },
    statement: 'A connection failed.',
    line: /[Cc]onnection (refused|reset|timed out|aborted)|No route to host|Network is unreachable|ETIMEDOUT|ECONNREFUSED|ECONNRESET|[Oo]peration expired|Max retries exceeded|SSL_ERROR_SYSCALL/,
  },
  {
    ...{ name: 'library', kind: 'SOFTWARE', confidence: specific },
    statement: 'A shared library is missing or has another version.',
    line: /error while loading shared libraries|cannot open shared object file|GLIBC(XX)?_[\d.]+' not found|undefined symbol: |symbol lookup error|version `[^']+' not found/,
  },
  {
    ...{ name: 'python-module', kind: 'SOFTWARE', confidence: specific },
    statement: 'A Python module is missing or does not fit.',
    line: /ModuleNotFoundError: |ImportError: |No module named /,
  },
  {
    ...{ name: 'command', kind: 'SOFTWARE', confidence: specific },
    statement: 'A program was not found or cannot run on this host.',
    line: /command not found|^\S*sh: (line )?\d+: \S+: not found$|Exec format error|bad interpreter|exec: ".*": executable file not found|[Ii]llegal instruction|Could not find the module|Lmod has detected the following error/,
  },
  {
    ...{ name: 'permission', kind: 'PERMISSION', confidence: usual },
    statement: 'The payload may not access a file or a device.',
    line: /[Pp]ermission denied|Operation not permitted|EACCES|EPERM|Read-only file system/,
  },
  {
    ...{ name: 'missing-file', kind: 'INPUT', confidence: usual },
    statement: 'A file that the payload reads does not exist.',
    line: /FileNotFoundError|No such file or directory|ENOENT|[Cc]annot (open|find|stat) (input )?file|cannot open file `|does not exist, cannot read|Error in <TFile::TFile>: file .* does not exist/,
  },
  {
    ...{ name: 'segmentation-fault', kind: 'PROGRAM', confidence: usual },
    statement: 'The program crashed with an invalid memory access.',
    line: /[Ss]egmentation (fault|violation)|SIGSEGV|signal 11\b|\*\*\* Break \*\*\* segmentation|double free or corruption|malloc\(\): |free\(\): invalid|[Bb]us error|stack smashing detected/,
  },
  {
    ...{ name: 'abort', kind: 'PROGRAM', confidence: usual },
    statement: 'The program ended itself after an internal error.',
    line: /Assertion [`'"]?.*failed|terminate called after throwing|SIGABRT|\bAborted\b|[Ff]loating point exception|SIGFPE|core dumped|panicked at|^panic: |FATAL ERROR|Fatal Exception(?! \*\*\*)/,
  },
  {
    ...{ name: 'mpi', kind: 'PROGRAM', confidence: usual },
    statement: 'A process of an MPI program ended the others.',
    line: /MPI_ABORT was invoked|mpirun (noticed|has exited)|MPI_Abort|BAD TERMINATION OF ONE OF YOUR APPLICATION PROCESSES/,
  },
  {
    ...{ name: 'geant4', kind: 'PROGRAM', confidence: usual },
    statement: 'Geant4 ended the simulation.',
    line: /-{3,} EEEE -{3,}|\*\*\* Fatal Exception \*\*\*|G4Exception.*core dump/,
  },
  {
    ...{ name: 'framework', kind: 'PROGRAM', confidence: usual },
    statement: 'An algorithm of the framework failed.',
    line: /(AthAlgSeq|AthenaEventLoopMgr|ApplicationMgr|EventLoopMgr|AlgTask).*(FATAL|ERROR)|\bFATAL\b.*(StatusCode|exception)|leaving with code [1-9]\d*: "/,
  },
  {
    ...{ name: 'python-exception', kind: 'PROGRAM', confidence: usual },
    statement: 'A Python program ended with an exception.',
    line: /Traceback \(most recent call last\)|^[A-Za-z_][\w.]*(Error|Exception)(: |$)/,
  },
  {
    ...{ name: 'java-exception', kind: 'PROGRAM', confidence: usual },
    statement: 'A Java program ended with an exception.',
    line: /Exception in thread "|^Caused by: [\w.]+(Exception|Error)/,
  },
  {
    ...{ name: 'walltime', kind: 'WALLTIME', confidence: usual },
    statement: 'The program was ended because its time was over.',
    line: /CANCELLED .*DUE TO TIME LIMIT|job killed: walltime|PBS: .*walltime .*exceeded|TERM_RUNLIMIT|job reached LSF run time limit/,
  },
  {
    ...{ name: 'killed', kind: 'MEMORY', confidence: general },
    statement: 'A process of the payload was killed, often because memory was short.',
    line: /^Killed$|\bKilled\s+(python|\.?\/)|line \d+: +\d+ Killed|signal 9\b|SIGKILL/,
  },
  {
    ...{ name: 'fatal', kind: 'PROGRAM', confidence: general },
    statement: 'The program wrote a fatal error.',
    line: /^(?!.*\b(0|no) (FATAL|CRITICAL|fatal))(.*\b(FATAL|CRITICAL)\b|.*[Ff]atal error\b)/,
  },
];
