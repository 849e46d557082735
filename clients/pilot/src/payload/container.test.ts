import { describe, expect, it } from '@jest/globals';
import { Evidence } from '../hardware/gpus/detected-device.js';
import { visibleDevices } from '../hardware/gpus/visibility-variables.js';
import type { ContainedSpec, ContainerHost } from './contained.js';
import { inContainer, runtimeFor } from './container.js';

const root = '/scratch/att_1';
const folders = {
  root,
  work: `${root}/work`,
  inputs: `${root}/inputs`,
  outputs: `${root}/outputs`,
  temporary: `${root}/tmp`,
  requests: `${root}/requests`,
  units: `${root}/units`,
  tools: `${root}/tools`,
  checkpoint: `${root}/checkpoint`,
  secrets: `${root}/secrets`,
  inputsManifest: `${root}/inputs.json`,
  deadline: `${root}/deadline`,
  private: '/scratch/private/att_1',
};
const host: ContainerHost = {
  runtimes: ['apptainer', 'podman'],
  searchPath: '/opt/bin:/usr/bin',
  usesControlGroups: false,
  environment: { HOME: '/home/pilot', XDG_RUNTIME_DIR: '/run/user/7' },
  isRoot: false,
};
const spec = {
  command: 'reco',
  arguments: ['--seed', '7'],
  environment: {
    PATH: '/opt/bin:/usr/bin',
    LANG: 'C.UTF-8',
    HOME: folders.work,
    TMPDIR: folders.temporary,
    SECRET: 'a b\nc,d',
    RHIZOME_ATTEMPT_ID: 'att_1',
  },
  folder: folders.work,
};
const limits = { processes: 4096, openFiles: 1024 };
const contained = {
  image: 'debian:12',
  spec,
  folders,
  limits,
  memoryMiB: 512,
  hasNetwork: true,
  hasOwnPath: false,
  writable: [],
};

describe('runtimeFor', () => {
  it.each<[string, string | null, readonly string[], string]>([
    ['debian:12', null, ['podman', 'apptainer'], 'apptainer'],
    ['debian:12', 'any', ['podman'], 'podman'],
    ['debian:12', 'podman', ['apptainer', 'podman'], 'podman'],
    ['docker://debian:12', null, ['podman'], 'podman'],
    ['oci:5000/reco', null, ['podman'], 'podman'],
    ['/cvmfs/images/reco.sif', null, ['podman', 'singularity'], 'singularity'],
    ['oras://registry.example/reco:1', 'any', ['singularity', 'podman'], 'singularity'],
  ])('selects for %s with %s on a host with %j: %s', (image, wanted, found, runtime) => {
    expect(runtimeFor(image, wanted, found)).toBe(runtime);
  });

  it.each<[string, string | null, readonly string[], RegExp]>([
    ['debian:12', null, [], /cannot run image "debian:12": it has no container runtime/],
    ['debian:12', 'podman', ['apptainer'], /"debian:12" with podman: it has apptainer/],
    ['/cvmfs/reco.sif', null, ['podman'], /it has podman/],
    ['dir:/home/pilot', null, ['podman'], /it has podman/],
    ['oci-archive:/srv/pilot/image.tar', 'podman', ['podman'], /it has podman/],
    ['--security-opt=all', null, ['podman', 'apptainer'], /cannot run image "--security-opt=all"/],
  ])('refuses %s with %s on a host with %j', (image, wanted, found, message) => {
    expect(() => runtimeFor(image, wanted, found)).toThrow(
      expect.objectContaining({
        family: 'WORKER',
        code: 'IMAGE_UNSUPPORTED',
        retryable: true,
        message: expect.stringMatching(message),
      }),
    );
  });
});

describe('inContainer', () => {
  it.each(['apptainer', 'singularity'] as const)(
    'shows a payload in %s only its scratch space and variables; no value is on the command line',
    (runtime) => {
      const started = inContainer(runtime, contained, host);
      expect([started.command, ...started.arguments].join(' ')).toBe(
        `${runtime} exec --cleanenv --containall --pid --ipc --no-privs --home ${folders.work} --workdir ${folders.temporary} ` +
          `--bind ${root} --pwd ${folders.work} docker://debian:12 reco --seed 7`,
      );
      const prefix = `${runtime.toUpperCase()}ENV_`;
      expect(started.environment).toEqual({
        HOME: '/home/pilot',
        XDG_RUNTIME_DIR: '/run/user/7',
        LANG: 'C.UTF-8',
        PATH: '/opt/bin:/usr/bin',
        RHIZOME_ATTEMPT_ID: 'att_1',
        [`${prefix}LANG`]: 'C.UTF-8',
        [`${prefix}TMPDIR`]: folders.temporary,
        [`${prefix}SECRET`]: 'a b\nc,d',
        [`${prefix}RHIZOME_ATTEMPT_ID`]: 'att_1',
        [`${prefix}APPEND_PATH`]: folders.tools,
      });
    },
  );

  it('passes variables to podman by files of the pilot alone', () => {
    const started = inContainer('podman', contained, host);
    const variables = `${folders.private}/variables`;
    expect([started.command, ...started.arguments]).toEqual([
      ...['podman', 'run', '--rm', '--network', 'host', '--ipc', 'private', '--cap-drop', 'all'],
      ...['--security-opt', 'label=disable', '--security-opt', 'no-new-privileges'],
      ...['--userns', 'keep-id', '--cgroups', 'disabled', '--ulimit', 'nproc=4096:4096'],
      ...['--ulimit', 'nofile=1024:1024', '--ulimit', 'core=0:0', '--shm-size', '512m'],
      ...['--read-only', '--read-only-tmpfs=false', '--volume', `${folders.temporary}:/tmp`],
      ...['--volume', `${folders.temporary}:/var/tmp`, '--volume', `${root}:${root}`],
      ...['--env-file', variables, '--volume', `${variables}.sh:/run/rhizome-variables:ro`],
      ...['--workdir', folders.work, '--entrypoint', '', 'debian:12'],
      ...['sh', '-c', '. /run/rhizome-variables; exec "$@"', 'sh', 'reco', '--seed', '7'],
    ]);
    expect(started.files).toEqual([
      {
        path: variables,
        text: `LANG=C.UTF-8\nHOME=${folders.work}\nTMPDIR=${folders.temporary}\nRHIZOME_ATTEMPT_ID=att_1\n`,
      },
      { path: `${variables}.sh`, text: "export SECRET='a b\nc,d'\n" },
    ]);
    expect(started.environment).toEqual({
      HOME: '/home/pilot',
      XDG_RUNTIME_DIR: '/run/user/7',
      LANG: 'C.UTF-8',
      PATH: '/opt/bin:/usr/bin',
      RHIZOME_ATTEMPT_ID: 'att_1',
    });
    expect(inContainer('podman', contained, { ...host, isRoot: true }).arguments).not.toContain('keep-id');
  });

  it.each([
    ['apptainer', '--bind /data/shared --bind /scratch/att_1'],
    ['podman', '--volume /data/shared:/data/shared --volume /scratch/att_1:/scratch/att_1'],
  ] as const)('lets payloads of %s write to folders that the pilot offers for this', (runtime, options) => {
    const offered = inContainer(runtime, { ...contained, writable: ['/data/shared'] }, host);
    expect(offered.arguments.join(' ')).toContain(options);
  });

  it.each(['apptainer', 'podman'] as const)('starts %s outside the scratch space', (runtime) => {
    expect(inContainer(runtime, contained, host).folder).toBe('/');
  });

  it('uses the search path of the image, unless the job sets one', () => {
    const own = { ...contained, hasOwnPath: true, spec: { ...spec, environment: { PATH: '/sw/bin' } } };
    expect(inContainer('apptainer', contained, host).environment).not.toHaveProperty('APPTAINERENV_PATH');
    expect(inContainer('apptainer', own, host).environment).toMatchObject({
      APPTAINERENV_PATH: '/sw/bin',
      PATH: '/opt/bin:/usr/bin',
    });
    const variablesOf = (one: ContainedSpec) => inContainer('podman', one, host).files?.[0]?.text;
    expect(variablesOf(own)).toBe('PATH=/sw/bin\n');
    expect(variablesOf(contained)).not.toContain('PATH');
  });

  it('passes the devices of the job', () => {
    const withDevices = (environment: Record<string, string>) => ({
      ...contained,
      spec: { ...spec, environment },
    });
    const nvidia = withDevices({ CUDA_VISIBLE_DEVICES: 'GPU-1,GPU-2' });
    const amd = withDevices({ ROCR_VISIBLE_DEVICES: 'GPU-3' });
    const intel = withDevices(visibleDevices([new Evidence('INTEL').device('card', '0')]));
    const none = withDevices(visibleDevices([]));
    expect(inContainer('apptainer', nvidia, host).arguments).toContain('--nv');
    expect(inContainer('apptainer', amd, host).arguments).toContain('--rocm');
    expect(inContainer('podman', nvidia, host).arguments.filter((one) => one.startsWith('nvidia'))).toEqual([
      'nvidia.com/gpu=GPU-1',
      'nvidia.com/gpu=GPU-2',
    ]);
    expect(inContainer('podman', amd, host).arguments).toContain('/dev/kfd');
    expect(inContainer('apptainer', intel, host).arguments.join(' ')).toContain('--bind /dev/dri ');
    expect(inContainer('podman', intel, host).arguments.join(' ')).toMatch(
      /--device \/dev\/dri --group-add keep-groups/,
    );
    for (const runtime of ['apptainer', 'podman'] as const)
      expect(inContainer(runtime, none, host).arguments.join(' ')).not.toMatch(/--nv|--rocm|--device|\/dev/);
  });

  it.each([
    ['apptainer', '--bind'],
    ['podman', '--volume'],
  ] as const)('mounts the folder for work on units in %s at a short path', (runtime, option) => {
    const units = `${root}/units`;
    const args = inContainer(runtime, { ...contained, units }, host).arguments;
    expect(args[args.indexOf(`${units}:/run/rhizome-units`) - 1]).toBe(option);
    expect(inContainer(runtime, contained, host).arguments.join(' ')).not.toContain('rhizome-units');
  });

  it('gives a payload no network that must have none', () => {
    const none = { ...contained, hasNetwork: false };
    expect(inContainer('apptainer', none, host).arguments.join(' ')).toContain('--net --network none');
    expect(inContainer('podman', none, host).arguments.join(' ')).toContain('--network none');
  });

  it('refuses a scratch space that cannot be mounted', () => {
    const odd = { ...contained, folders: { ...folders, root: '/a:b' } };
    expect(() => inContainer('podman', odd, host)).toThrow(
      expect.objectContaining({ code: 'SCRATCH_UNSUITED' }),
    );
  });
});
