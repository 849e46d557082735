import { describe, expect, it } from '@jest/globals';
import { type BusDevice, GpuHost, sourceOf } from '../../testing/gpu-host.js';
import { kfdProperties, partitioned, rocmSmi } from '../../testing/gpu-samples/amd.js';
import { mixed, mixedIds, procInformation } from '../../testing/gpu-samples/nvidia.js';

const host = new GpuHost();

/** Three GPUs, with the numbers of their files; the kernel shows all of them in every container. */
async function threeGpus(): Promise<void> {
  const addresses = ['0000:01:00.0', '0000:3b:00.0', '0000:5e:00.0'];
  for (const [minor, address] of addresses.entries()) {
    await host.onBus(address, '10de', '20b2', { driver: 'nvidia' });
    await host.kernel({
      [`proc/driver/nvidia/gpus/${address}/information`]: procInformation({
        uuid: `GPU-0000000${minor}-3897-f599-d088-ccd04ae45ec1`,
        minor,
      }),
    });
  }
}

describe('findDevices in a container on a host with NVIDIA devices', () => {
  it('ignores devices that the container was not given', async () => {
    await threeGpus();
    await host.kernel({ 'dev/nvidiactl': '', 'dev/nvidia1': '' });
    await host.nvidiaSmi({ query: { says: mixed.query.split('\n')[1] ?? '' } });
    expect((await host.find()).map(({ id }) => id)).toEqual([mixedIds.t4]);
  });

  it('reports none if the container was given none', async () => {
    await threeGpus();
    await host.kernel({ 'dev/null': '' });
    await host.nvidiaSmi({ query: { says: 'No devices were found', exitCode: 6 } });
    expect(await host.find()).toEqual([]);
  });

  it('reports only the devices that the driver shows', async () => {
    await threeGpus();
    await host.onBus('0000:86:00.0', '10de', '20b2', { driver: 'nvidia' });
    await host.kernel({ 'dev/nvidia0': '', 'dev/nvidia1': '', 'dev/nvidia2': '' });
    expect((await host.find()).map(({ pciAddress }) => pciAddress)).toEqual([
      '0000:01:00.0',
      '0000:3b:00.0',
      '0000:5e:00.0',
    ]);
  });

  it('reports devices with a file, without a tool', async () => {
    await threeGpus();
    await host.kernel({ 'dev/nvidia2': '' });
    expect(await host.find()).toMatchObject([
      { id: 'GPU-00000002-3897-f599-d088-ccd04ae45ec1', health: 'HEALTHY' },
    ]);
  });

  it('reports none without a tool and without files', async () => {
    await threeGpus();
    await host.kernel({ 'dev/null': '' });
    const devices = await host.find();
    expect(devices.map(({ health }) => health)).toEqual(['UNHEALTHY', 'UNHEALTHY', 'UNHEALTHY']);
    expect(sourceOf(devices[0], 'health')).toBe('/dev/nvidia0 does not exist');
    expect(sourceOf(devices[0], 'driverVersion')).toBe('unknown: nvidia-smi is not on this host');
  });

  it('keeps a device with a file that fell off the bus of its driver', async () => {
    await threeGpus();
    await host.kernel({ 'dev/nvidia0': '', 'dev/nvidia1': '', 'dev/nvidia2': '' });
    await host.nvidiaSmi({ query: { says: mixed.query } });
    const devices = await host.find();
    expect(devices.at(-1)).toMatchObject({ id: 'PCI-0000:5e:00.0', health: 'UNHEALTHY' });
  });
});

describe('findDevices in a container on a host with AMD devices', () => {
  const card = (render: number): BusDevice => ({
    kind: '0x038000',
    driver: 'amdgpu',
    files: { [`drm/renderD${render}/dev`]: `226:${render}` },
  });

  it('reports the devices of the tool that it can open', async () => {
    await host.onBus('0000:83:00.0', '1002', '738c', card(128));
    await host.onBus('0000:c7:00.0', '1002', '73df', card(129));
    await host.kernel({ 'dev/kfd': '', 'dev/dri/renderD128': '' });
    await host.tool('rocm-smi', [{ to: '--showid', says: rocmSmi }]);
    expect((await host.find()).map(({ pciAddress }) => pciAddress)).toEqual(['0000:83:00.0']);
  });

  it('reports none without the file of the compute driver', async () => {
    await host.onBus('0000:83:00.0', '1002', '738c', card(128));
    await host.kernel({ 'dev/dri/renderD128': '' });
    const [device] = await host.find();
    expect(device?.health).toBe('UNHEALTHY');
    expect(sourceOf(device, 'health')).toBe('/dev/kfd does not exist');
  });

  it('reads the target from the kernel if the tool does not show it', async () => {
    await host.onBus('0000:83:00.0', '1002', '740f', card(128));
    await host.kernel({ 'sys/class/kfd/kfd/topology/nodes/1/properties': kfdProperties(0x8300) });
    const says = rocmSmi.replaceAll('GFX Version', 'Another Word');
    await host.tool('rocm-smi', [{ to: '--showid', says }]);
    const [device] = await host.find();
    expect(device?.gfxTarget).toBe('gfx90a');
    expect(sourceOf(device, 'gfxTarget')).toBe('/sys/class/kfd/kfd/topology/nodes');
  });

  it('names partitions by the numbers of ROCm, which counts as the kernel does', async () => {
    // The tool begins with its part 0, the kernel with another device.
    const nodes = [0x0300, 0x0500, 0x0501, 0x0502].map((location, at) => [
      `sys/class/kfd/kfd/topology/nodes/${at + 2}/properties`,
      kfdProperties(location),
    ]);
    await host.kernel(Object.fromEntries(nodes));
    await host.tool('amd-smi', [{ to: 'static', says: partitioned }]);
    const devices = await host.find({ visible: { AMD: '2,3' } });
    expect(devices.map(({ id, visibleAs }) => [id, visibleAs])).toEqual([
      ['GPU-6f1f0a2b3c4d5e6f/1', '2'],
      ['GPU-6f1f0a2b3c4d5e6f/2', '3'],
    ]);
  });

  it('takes the error counts of the driver if the tool has none', async () => {
    const { files, ...more } = card(128);
    await host.onBus('0000:83:00.0', '1002', '738c', {
      ...more,
      files: { ...files, 'ras/umc_err_count': 'ue: 2\nce: 0' },
    });
    await host.tool('rocm-smi', [{ to: '--showid', says: rocmSmi }]);
    expect((await host.find())[0]?.health).toBe('UNHEALTHY');
  });
});

describe('findDevices in a container on a host with Intel devices', () => {
  it('numbers the cards that it was given', async () => {
    for (const [at, address] of ['0000:29:00.0', '0000:9a:00.0'].entries())
      await host.onBus(address, '8086', '0bda', {
        ...{ kind: '0x038000', driver: 'xe' },
        files: { [`drm/renderD${128 + at}/dev`]: '' },
      });
    await host.kernel({ 'dev/dri/renderD129': '' });
    expect(await host.find()).toMatchObject([{ id: 'PCI-0000:9a:00.0', visibleAs: '0', health: 'HEALTHY' }]);
  });
});
