import { describe, expect, it } from '@jest/globals';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { GpuHost, sourceOf } from '../../testing/gpu-host.js';
import { rocmSmi } from '../../testing/gpu-samples/amd.js';
import { mixed, mixedIds } from '../../testing/gpu-samples/nvidia.js';
import { toolEnvironment, toolRunner } from './tool-runner.js';

const host = new GpuHost();

/** A tool that prints what the test sets. */
async function script(name: string, text: string, mode = 0o755): Promise<void> {
  const path = host.path(`bin/${name}`);
  await writeFile(path, text);
  await chmod(path, mode);
}

const t4 = mixed.query.split('\n')[1] ?? '';

describe('toolRunner', () => {
  it('passes the library variables, and none that hide devices', async () => {
    const outside = {
      LD_LIBRARY_PATH: '/.singularity.d/libs',
      ROCM_PATH: '/opt/rocm-7.0.2',
      CUDA_VISIBLE_DEVICES: '1',
      LANG: 'de_DE.UTF-8',
    };
    expect(toolEnvironment(outside)).toEqual({
      LD_LIBRARY_PATH: '/.singularity.d/libs',
      ROCM_PATH: '/opt/rocm-7.0.2',
    });
    await script(
      'nvidia-smi',
      `#!/bin/sh
[ "$LD_LIBRARY_PATH" = /.singularity.d/libs ] && [ -z "$CUDA_VISIBLE_DEVICES$LANG" ] || {
  echo "NVIDIA-SMI couldn't find libnvidia-ml.so library in your system."
  exit 12
}
case "$*" in --query-gpu=*) echo '${t4}';; esac
`,
    );
    const devices = await host.find({ toolEnvironment: toolEnvironment(outside) });
    expect(devices).toMatchObject([{ id: mixedIds.t4, health: 'HEALTHY' }]);
  });

  it('reads coloured output', async () => {
    await script(
      'rocm-smi',
      `#!/bin/sh\nprintf '\\033[93mWARNING: low power\\033[0m\\n\\033[0m'\ncat <<'JSON'\n${rocmSmi}\nJSON\n`,
    );
    expect(await host.find()).toMatchObject([{ id: 'GPU-04edfb117a17a07d' }, {}]);
  });

  it('gives up endless output', async () => {
    await host.onBus('0000:3b:00.0', '10de', '1eb8', { driver: 'nvidia' });
    await script('nvidia-smi', '#!/bin/sh\nexec yes "0, no, device"\n');
    const [device, ...others] = await host.find();
    expect(others).toEqual([]);
    expect(device).toMatchObject({ id: 'PCI-0000:3b:00.0', health: 'UNHEALTHY' });
    expect(sourceOf(device, 'health')).toMatch(/nvidia-smi: it wrote more than \d+ bytes/);
  });

  it('does not start a tool again that has survived its kill', async () => {
    const lines = async (): Promise<number> =>
      (await readFile(host.path('calls'), 'utf8')).split('\n').length - 1;
    await script(
      'nvidia-smi',
      `#!/bin/sh\necho $$ >> '${host.path('calls')}'\nwhile [ ! -e '${host.path('go')}' ]; do sleep 0.05; done\n`,
    );
    const run = toolRunner({ searchPath: host.path('bin'), timeoutMs: 300, killSignal: 'SIGCONT' });
    expect(await run('nvidia-smi', ['-L'])).toMatchObject({ kind: 'hung', why: 'no answer within 0.3 s' });
    expect(await run('nvidia-smi', ['-L'])).toMatchObject({ why: 'an earlier call has not ended' });
    expect(await lines()).toBe(1);
    await writeFile(host.path('go'), '');
    let kind = 'hung';
    while (kind === 'hung') kind = (await run('nvidia-smi', ['-L'])).kind;
    expect([kind, await lines()]).toEqual(['answered', 2]);
  });

  it('takes the driver’s health if the tool cannot be started', async () => {
    await host.onBus('0000:83:00.0', '1002', '740f', {
      ...{ kind: '0x038000', driver: 'amdgpu' },
      files: { unique_id: '4edfb117a17a07d', 'drm/renderD128/dev': '' },
    });
    const reasons = {
      '#!/bin/sh\necho "ModuleNotFoundError: No module named \'amdsmi\'" >&2\nexit 1\n':
        /^unknown: amd-smi cannot be started: exit code 1: ModuleNotFoundError/,
      '#!/usr/bin/env python-of-nowhere\n': /^unknown: amd-smi cannot be started: exit code 127/,
    };
    for (const [text, reason] of Object.entries(reasons)) {
      await script('amd-smi', text);
      const [device] = await host.find();
      expect(device).toMatchObject({ id: 'GPU-04edfb117a17a07d', health: 'HEALTHY' });
      expect(sourceOf(device, 'eccEnabled')).toMatch(reason);
    }
    await script('amd-smi', '#!/bin/sh\necho "amdgpu: wrong state" >&2\nexit 1\n');
    const [bad] = await host.find();
    expect(sourceOf(bad, 'health')).toMatch(/amd-smi: exit code 1: amdgpu: wrong state/);
    expect(bad?.health).toBe('UNHEALTHY');
  });

  it('ignores a tool that may not be executed', async () => {
    await host.onBus('0000:3b:00.0', '10de', '1eb8', { driver: 'nvidia' });
    await script('nvidia-smi', '#!/bin/sh\n', 0o644);
    const [device] = await host.find();
    expect(device?.health).toBe('UNKNOWN');
    expect(sourceOf(device, 'driverVersion')).toBe('unknown: nvidia-smi is not on this host');
  });

  it.each([
    ['is a folder', async () => mkdir(host.path('bin/nvidia-smi'))],
    ['is for another machine', async () => script('nvidia-smi', '\u007fELF\u0002\u0001\u0001')],
  ])('leaves devices unknown for a tool that %s', async (_what, put) => {
    await host.onBus('0000:3b:00.0', '10de', '1eb8', { driver: 'nvidia' });
    await put();
    const [device] = await host.find();
    expect(device).toMatchObject({ id: 'PCI-0000:3b:00.0', health: 'UNKNOWN' });
    expect(sourceOf(device, 'driverVersion')).toMatch(/^unknown: nvidia-smi cannot be started: /);
  });

  it.each([
    ['ends well, with an error', async () => script('nvidia-smi', '#!/bin/sh\necho Unknown Error\n')],
    ['is killed', async () => script('nvidia-smi', '#!/bin/sh\nkill -9 $$\n')],
  ])('leaves devices unusable for a tool that %s', async (_what, put) => {
    await host.onBus('0000:3b:00.0', '10de', '1eb8', { driver: 'nvidia' });
    await put();
    expect(await host.find()).toMatchObject([{ id: 'PCI-0000:3b:00.0', health: 'UNHEALTHY' }]);
  });

  it('names an integrated GPU without a bus address by its number', async () => {
    const uuid = '54d0709b-558d-5a59-9c65-0c5fc14a21a4';
    const line = `0, ${uuid}, Orin (nvgpu), [N/A], [N/A], [N/A], [N/A], [N/A], 540.4.0, [N/A], [N/A], 8.7`;
    await host.tool('nvidia-smi', [
      { to: '--query-gpu=', says: line },
      { to: '-L', says: `GPU 0: Orin (nvgpu) (UUID: ${uuid})` },
    ]);
    const [device] = await host.find();
    expect(device).toMatchObject({
      id: uuid,
      visibleAs: '0',
      model: 'Orin (nvgpu)',
      computeCapability: '8.7',
      driverVersion: '540.4.0',
      health: 'HEALTHY',
    });
    expect([device?.memoryMiB, device?.pciAddress]).toEqual([undefined, undefined]);
  });
});

describe('findNvidia', () => {
  it('reads the log if the tool does not accept the query', async () => {
    await host.tool('nvidia-smi', [
      { to: '--query-gpu=', says: 'Option --query-gpu is not recognized.', exitCode: 2 },
      { to: '-q -x', says: mixed.xml },
      { to: '-L', says: mixed.list },
    ]);
    const devices = await host.find({ visible: { NVIDIA: '1' } });
    expect(devices).toMatchObject([
      { id: mixedIds.t4, model: 'Tesla T4', memoryMiB: 15360, utilisation: 0.42, health: 'HEALTHY' },
    ]);
    expect(sourceOf(devices[0], 'health')).toBe('nvidia-smi -q -x');
    expect(sourceOf(devices[0], 'computeCapability')).toBe('unknown: the tool does not report it');
    expect((await host.find()).map(({ id }) => id)).toEqual([...mixedIds.slices, mixedIds.t4]);
  });

  it('leaves the health open if only the log has a device, with errors instead of facts', async () => {
    await host.tool('nvidia-smi', [
      { to: '--query-gpu=', says: 'Invalid combination of input arguments.', exitCode: 1 },
      { to: '-q -x', says: mixed.xml.replaceAll('<fan_speed>N/A', '<fan_speed>Unknown Error') },
      { to: '-L', says: mixed.list },
    ]);
    const device = (await host.find()).find(({ id }) => id === mixedIds.t4);
    expect(device?.health).toBe('UNKNOWN');
    expect(sourceOf(device, 'health')).toMatch(/^unknown: nvidia-smi -q -x has gaps/);
  });

  it('repeats a query without a field that the tool complains about on its other output', async () => {
    await script(
      'nvidia-smi',
      `#!/bin/sh
case "$*" in
*compute_cap*) printf 'Field "compute_cap" is not a valid field to query.\\n\\nPlease run nvidia-smi --help\\n' >&2; exit 2;;
--query-gpu=*) echo '${t4.split(', ').slice(0, -1).join(', ')}';;
esac
`,
    );
    expect(await host.find()).toMatchObject([{ id: mixedIds.t4, health: 'HEALTHY' }]);
  });
});
