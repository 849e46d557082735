import { describe, expect, it } from '@jest/globals';
import { findInLog, mostLines } from './log-findings.js';
import { logPatterns } from './log-patterns.js';

// cspell:disable
/** Lines that programs wrote, by the name of the pattern that they match first. */
const lines: Readonly<Record<string, readonly string[]>> = {
  'cuda-memory': [
    'torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of 39.39 GiB of which 1.81 GiB is free.',
    'tensorflow/compiler/xla/stream_executor/cuda/cuda_driver.cc:753] failed to allocate 8.00G: CUDA_ERROR_OUT_OF_MEMORY: out of memory',
    'RuntimeError: CUDA error: out of memory',
    'cudaMalloc failed: out of memory',
    'torch.OutOfMemoryError: HIP out of memory. Tried to allocate 16.00 GiB.',
  ],
  'cuda-driver': [
    'cudaGetDeviceCount returned 35 -> CUDA driver version is insufficient for CUDA runtime version',
    'Failed to initialize NVML: Driver/library version mismatch',
    'RuntimeError: The NVIDIA driver on your system is too old (found version 11040).',
  ],
  'cuda-architecture': ['RuntimeError: CUDA error: no kernel image is available for execution on the device'],
  'gpu-absent': [
    'RuntimeError: No CUDA GPUs are available',
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.",
    'cudaErrorNoDevice: no CUDA-capable device is detected',
  ],
  'gpu-fault': [
    'RuntimeError: CUDA error: uncorrectable ECC error encountered',
    'NVRM: Xid (PCI:0000:3b:00): 79, pid=1234, GPU has fallen off the bus.',
  ],
  'gpu-program': [
    'RuntimeError: CUDA error: device-side assert triggered',
    'CUDA Exception: an illegal memory access was encountered',
  ],
  license: [
    'License checkout failed. License Manager Error -4',
    'ABAQUS Error: Licensed number of users already reached.',
    'No valid license file could be found: LM_LICENSE_FILE is not set',
  ],
  'memory-killed': [
    'slurmstepd: error: Detected 1 oom-kill event(s) in StepId=1234.batch. Some of your processes may have been killed by the cgroup out-of-memory handler.',
    'Out of memory: Killed process 8123 (reco.exe) total-vm:9876543kB, anon-rss:8123456kB',
    'Memory cgroup out of memory: Killed process 4711 (athena.py)',
  ],
  memory: [
    "terminate called after throwing an instance of 'std::bad_alloc'",
    'numpy._core._exceptions._ArrayMemoryError: Unable to allocate 7.45 GiB for an array with shape (1000000000,) and data type float64',
    'MemoryError',
    'fork: Cannot allocate memory',
    'Exception in thread "main" java.lang.OutOfMemoryError: Java heap space',
    'FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory',
    'Error: cannot allocate vector of size 3.7 Gb',
  ],
  'disk-full': [
    'OSError: [Errno 28] No space left on device',
    'cp: error writing output.root: No space left on device',
    'OSError: [Errno 122] Disk quota exceeded',
    'tar: big.tar: Cannot write: File too large',
  ],
  cvmfs: [
    "ls: cannot access '/cvmfs/sft.cern.ch/lcg': Transport endpoint is not connected",
    '/cvmfs/oasis.opensciencegrid.org/setup.sh: No such file or directory',
  ],
  'container-start': [
    'FATAL:   container creation failed: mount /proc/self/fd/3->/var/lib/apptainer/mnt/session/rootfs error',
    'Error: OCI runtime error: crun: cannot find `eic-shell` in $PATH',
    'FATAL:   while extracting image: root filesystem extraction failed: squashfs error',
    'FATAL:   could not open image /scratch/job/eic.sif: failed to retrieve path',
  ],
  'image-missing': [
    'Error: initializing source docker://registry.example/alma:9: reading manifest 9 in registry.example/alma: manifest unknown',
  ],
  'container-image': [
    'Error: initializing source docker://registry.example/alma:9: pinging registry: i/o timeout',
    'FATAL:   toomanyrequests: You have reached your pull rate limit.',
  ],
  'expired-credential': [
    'curl: (60) SSL certificate problem: certificate has expired',
    'requests.exceptions.SSLError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: unable to get local issuer certificate',
    'HTTP 401 Unauthorized : token expired',
    '[FATAL] Auth failed: No protocols left to try',
  ],
  database: [
    'ORA-12514: TNS:listener does not currently know of service requested in connect descriptor',
    "sqlalchemy.exc.OperationalError: (2003, \"Can't connect to MySQL server on 'db' (110)\")",
  ],
  'name-resolution': [
    'curl: (6) Could not resolve host: rucio.example.org',
    'ssh: Could not resolve hostname dtn: Name or service not known',
    'socket.gaierror: [Errno -3] Temporary failure in name resolution',
  ],
  'stage-in': [
    'Error in <TNetXNGFile::Open>: [ERROR] Server responded with an error: [3011] No such file or directory',
    'stage-in failed: 2 of 4 files could not be transferred',
    'gfal-copy error: 70 (Communication error on send) - globus_ftp_client: the server responded with an error',
  ],
  'corrupt-input': [
    'Error in <TFile::ReadBuffer>: error reading all requested bytes from file hits.root, got 212 of 300',
    'Warning in <TFile::Init>: file evgen.root probably not closed, trying to recover',
    'gzip: events.hepmc.gz: unexpected end of file',
    'Error in <TBasket::ReadBasketBuffers>: fNbytes = 12354, fKeylen = 81',
  ],
  'stage-out': [
    'stage-out failed: hits.root to davs://se.example/pool',
    'gfal2: [SE][StatusOfPutRequest][SRM_NO_FREE_SPACE] no space in token PRODDISK',
  ],
  network: [
    'curl: (7) Failed to connect to frontier.example port 8000: Connection refused',
    'ConnectionResetError: [Errno 104] Connection reset by peer',
    'Error: connect ETIMEDOUT 192.0.2.7:443',
    'Run: [ERROR] Operation expired',
  ],
  library: [
    './reco.exe: error while loading shared libraries: libHepMC3.so.3: cannot open shared object file: No such file or directory',
    "/lib64/libc.so.6: version `GLIBC_2.34' not found (required by ./sim)",
    'python3: symbol lookup error: libCore.so: undefined symbol: _ZN5TROOT8fgDebugE',
  ],
  'python-module': [
    "ModuleNotFoundError: No module named 'uproot'",
    "ImportError: cannot import name 'mapping' (/usr/lib/python3.11/collections/__init__.py)",
  ],
  command: [
    'bash: line 3: npsim: command not found',
    'sh: 1: ddsim: not found',
    'bash: ./reco: cannot execute binary file: Exec format error',
    '/usr/bin/env: bad interpreter: No such file or directory',
    'Illegal instruction (core dumped)',
  ],
  permission: [
    "PermissionError: [Errno 13] Permission denied: '/data/out.root'",
    'bash: ./run.sh: Permission denied',
    'touch: cannot touch /cvmfs/x: Read-only file system',
  ],
  'missing-file': [
    "FileNotFoundError: [Errno 2] No such file or directory: 'input.root'",
    'Error in <TFile::TFile>: file /data/x.root does not exist',
    'cat: steering.mac: No such file or directory',
    "Error: ENOENT: no such file or directory, open 'config.json'",
  ],
  'segmentation-fault': [
    'run.sh: line 12: 31877 Segmentation fault      (core dumped) ./reco.exe evgen.root',
    ' *** Break *** segmentation violation',
    'double free or corruption (!prev)',
    'free(): invalid pointer',
    'Fatal Python error: Segmentation fault',
  ],
  abort: [
    "sim: TrackManager.cc:218: void Track::step(): Assertion `energy >= 0' failed.",
    "terminate called after throwing an instance of 'std::runtime_error'",
    'Aborted (core dumped)',
    "thread 'main' panicked at src/main.rs:4:5:",
    'panic: runtime error: index out of range [5] with length 3',
    'Floating point exception (core dumped)',
  ],
  mpi: [
    'MPI_ABORT was invoked on rank 3 in communicator MPI_COMM_WORLD',
    '=   BAD TERMINATION OF ONE OF YOUR APPLICATION PROCESSES',
  ],
  geant4: [
    '-------- EEEE ------- G4Exception-START -------- EEEE -------',
    '*** Fatal Exception *** core dump ***',
  ],
  framework: [
    'AthenaEventLoopMgr                      FATAL Unable to initialize Algorithms',
    'Py:Athena            INFO leaving with code 65: "failure in an algorithm execute"',
  ],
  'python-exception': [
    'Traceback (most recent call last):',
    "KeyError: 'MCParticles'",
    'ValueError: could not convert string to float',
    'awkward.errors.FieldNotFoundError: no field named px',
  ],
  'java-exception': [
    'Exception in thread "main" java.lang.NullPointerException',
    'Caused by: org.lcsim.conditions.ConditionsException: not found',
  ],
  walltime: [
    'slurmstepd: error: *** JOB 4711 ON nid001 CANCELLED AT 2026-03-01T10:00:00 DUE TO TIME LIMIT ***',
  ],
  killed: ['Killed', 'run.sh: line 7:  2231 Killed                  python3 train.py'],
  fatal: [
    '2026-03-01 10:12:01 CRITICAL reconstruction: no geometry for run 12',
    'G4: fatal error in tracking',
    'FATAL: could not load image.png',
  ],
};

// cspell:enable

describe('logPatterns', () => {
  it('has a line of a known program for each pattern', () => {
    expect(Object.keys(lines).sort()).toEqual(logPatterns.map(({ name }) => name).sort());
  });

  it.each(Object.entries(lines).flatMap(([name, own]) => own.map((line) => [name, line] as const)))(
    'finds %s in: %s',
    (name, line) => {
      expect(findInLog(`begin\n${line}\n`)[0]?.pattern.name).toBe(name);
    },
  );

  // cspell:disable
  it.each([
    '2026-03-01 10:00:00 INFO Processing event 1000, 0 errors',
    'Error = 0.0012 +- 0.0003',
    'WARNING: license text in LICENSE.txt',
    'Opened file /cvmfs/sft.cern.ch/lcg/sw/setup.sh',
    'killed 3 background candidates by the isolation cut',
    'Aborting is not needed: all events done',
    'Py:Athena            INFO leaving with code 0: "successful run"',
    '-------- WWWW ------- G4Exception-START -------- WWWW -------',
    '*** G4Exception : GeomNav1002',
    '      issued by : G4Navigator::ComputeStep()',
    'LM_LICENSE_FILE=27000@lic.example',
    'License checkout succeeded',
    'License server: ok',
    'run.sh: line 12: syntax error: unexpected end of file',
    '[ERROR] Failed to write the report of the tests',
    '[ERROR] could not overwrite property foo',
    'Time limit reached',
    'srun: error: nid001234: task 7: Exited with exit code 1',
    'Frontier: 0 failed requests',
    'checksum mismatch count: 0',
    'Summary: 0 FATAL errors, 0 CRITICAL',
    // cspell:enable
  ])('finds nothing in: %s', (line) => {
    expect(findInLog(line)).toEqual([]);
  });

  it('matches a log that repeats the beginnings of patterns', () => {
    const hostile = '/cvmfs/ORA- License FATAL Exception in '.repeat(500);
    const log = Array.from({ length: 40 }, () => hostile.slice(0, 450)).join('\n');
    expect(findInLog(log).length).toBeLessThan(logPatterns.length);
  });
});

describe('findInLog', () => {
  it('shows at most 20 lines around the last match', () => {
    const log = Array.from({ length: 100 }, (_, at) =>
      at === 20 || at === 70 ? 'MemoryError' : `line ${at}`,
    );
    const [found] = findInLog(log.join('\n'));
    const shown = found?.excerpt.split('\n') ?? [];
    expect(found?.count).toBe(2);
    expect(shown).toHaveLength(mostLines);
    expect(shown).toContain('MemoryError');
    expect(shown.at(-1)).toBe('line 76');
  });

  it('puts the more certain pattern first, and counts a line once', () => {
    const log = [
      'Traceback (most recent call last):',
      '  File "reco.py", line 3, in <module>',
      "FileNotFoundError: [Errno 2] No such file or directory: 'geometry.root'",
      './tool: error while loading shared libraries: libGeom.so: cannot open shared object file',
    ];
    const names = findInLog(log.join('\n')).map(({ pattern }) => pattern.name);
    expect(names).toEqual(['library', 'missing-file', 'python-exception']);
  });

  it('reads lines that a progress bar ends with a carriage return, and cuts long ones', () => {
    const [found] = findInLog(`10 %\r20 %\rMemoryError\r${'x'.repeat(2000)}`);
    expect(found?.pattern.name).toBe('memory');
    expect(Math.max(...(found?.excerpt.split('\n') ?? []).map(({ length }) => length))).toBe(500);
  });

  it('reads the last 400 lines', () => {
    const after = (count: number): string => `MemoryError\n${'x\n'.repeat(count)}`;
    expect(findInLog(after(399))).toHaveLength(1);
    expect(findInLog(after(400))).toEqual([]);
  });

  it('finds nothing in an empty log', () => {
    expect(findInLog(null)).toEqual([]);
    expect(findInLog('\n\n')).toEqual([]);
  });
});
