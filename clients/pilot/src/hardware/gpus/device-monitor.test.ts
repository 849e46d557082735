import { describe, expect, it } from '@jest/globals';
import { silentLogger } from '@rhizome/log';
import { Evidence, type DetectedDevice, type KnownFacts } from './detected-device.js';
import { GpuUsageMeter } from './gpu-usage.js';
import { DeviceMonitor, type DeviceChange } from './device-monitor.js';

const device = (id: string, facts: KnownFacts = {}): DetectedDevice =>
  new Evidence('NVIDIA')
    .add('test', {
      model: 'T4',
      memoryMiB: 16_000,
      health: 'HEALTHY',
      pciAddress: `0000:0${id}:00.0`,
      ...facts,
    })
    .device(`GPU-${id}`, `GPU-${id}`);

/** A monitor of a host whose devices the test sets; it probes only when the test calls it. */
async function monitorOf(first: readonly DetectedDevice[]) {
  let now: readonly DetectedDevice[] | Error = first;
  const look = async (): Promise<readonly DetectedDevice[]> =>
    now instanceof Error ? Promise.reject(now) : Promise.resolve(now);
  const monitor = new DeviceMonitor({ detect: look, periodMs: 1_000_000, log: silentLogger() });
  await monitor.start();
  const changes: DeviceChange[] = [];
  monitor.follow(monitor.devices, (change) => changes.push(change));
  return {
    monitor,
    changes,
    async becomes(devices: readonly DetectedDevice[] | Error) {
      now = devices;
      await monitor.probe();
    },
  };
}

describe('DeviceMonitor', () => {
  it('reports a changed health at once', async () => {
    const { monitor, changes, becomes } = await monitorOf([device('1'), device('2')]);
    await becomes([device('1'), device('2', { health: 'UNHEALTHY' })]);
    expect(changes).toMatchObject([
      { isUrgent: true, isUseOnly: false, devices: [{}, { health: 'UNHEALTHY' }] },
    ]);
    monitor.close();
  });

  it('reports large changes of usage, and no small ones', async () => {
    const { monitor, changes, becomes } = await monitorOf([
      device('1', { utilisation: 0.5, memoryUsedMiB: 1000 }),
    ]);
    await becomes([device('1', { utilisation: 0.52, memoryUsedMiB: 1100 })]);
    expect(changes).toEqual([]);
    await becomes([device('1', { utilisation: 0.6, memoryUsedMiB: 1100 })]);
    await becomes([device('1', { utilisation: 0.6, memoryUsedMiB: 9000 })]);
    expect(changes.map(({ isUrgent, isUseOnly }) => [isUrgent, isUseOnly])).toEqual([
      [false, true],
      [false, true],
    ]);
    await becomes([device('1', { utilisation: 0.9, memoryUsedMiB: 9000, driverVersion: '575.51' })]);
    expect(changes.at(-1)).toMatchObject({ isUrgent: false, isUseOnly: false });
    monitor.close();
  });

  it('keeps a device that is no longer found, as unhealthy', async () => {
    const { monitor, changes, becomes } = await monitorOf([device('1'), device('2', { utilisation: 1 })]);
    await becomes([device('1')]);
    expect(changes.at(-1)).toMatchObject({ isUrgent: true });
    expect(monitor.devices[1]).toMatchObject({ id: 'GPU-2', health: 'UNHEALTHY' });
    expect(monitor.devices[1]?.utilisation).toBeUndefined();
    expect(monitor.devices[1]?.sources).toContainEqual({
      fact: 'health',
      source: 'it is no longer found',
    });
    await becomes([device('1'), device('2')]);
    expect(monitor.devices.map(({ health }) => health)).toEqual(['HEALTHY', 'HEALTHY']);
    monitor.close();
  });

  it('takes a device that only the bus still shows for the lost one, with the reason', async () => {
    const { monitor, becomes } = await monitorOf([device('1')]);
    const bare = new Evidence('NVIDIA')
      .add('the bus', { pciAddress: '0000:01:00.0' })
      .add('the bus, but the tool hangs', { health: 'UNHEALTHY' })
      .device('PCI-0000:01:00.0', null);
    await becomes([bare]);
    expect(monitor.devices).toMatchObject([{ id: 'GPU-1', health: 'UNHEALTHY', model: 'T4' }]);
    expect(monitor.devices[0]?.sources).toContainEqual({
      fact: 'health',
      source: 'the bus, but the tool hangs',
    });
    monitor.close();
  });

  /** A slice of the GPU `a`. */
  const slice = (id: string, profile: string, facts: KnownFacts = {}): DetectedDevice =>
    new Evidence('NVIDIA')
      .add('test', { model: 'A100', migProfile: profile, parentId: 'GPU-a', health: 'HEALTHY' })
      .add('test', { pciAddress: '0000:0a:00.0', ...facts })
      .device(`MIG-${id}`, `MIG-${id}`);
  const wholeA = device('a', { model: 'A100' });
  const ids = (monitor: DeviceMonitor): string[] =>
    monitor.devices.map(({ id, health }) => `${id} ${health}`);

  it('replaces a GPU that is divided differently by its new slices', async () => {
    const { monitor, changes, becomes } = await monitorOf([
      slice('1', '3g.20gb'),
      slice('2', '3g.20gb'),
      device('9'),
    ]);
    await becomes([slice('5', '7g.40gb'), device('9')]);
    expect(ids(monitor)).toEqual(['MIG-5 HEALTHY', 'GPU-9 HEALTHY']);
    expect(changes.at(-1)).toMatchObject({ isUrgent: true, devices: [{ id: 'MIG-5' }, { id: 'GPU-9' }] });
    await becomes([wholeA, device('9')]);
    expect(ids(monitor)).toEqual(['GPU-a HEALTHY', 'GPU-9 HEALTHY']);
    await becomes([slice('6', '1g.5gb'), device('9')]);
    expect(ids(monitor)).toEqual(['MIG-6 HEALTHY', 'GPU-9 HEALTHY']);
    monitor.close();
  });

  it('keeps a slice that a job holds, as unhealthy, until it is released', async () => {
    const { monitor, becomes } = await monitorOf([slice('1', '3g.20gb'), slice('2', '3g.20gb')]);
    const faults: string[] = [];
    const held = monitor.hold(['MIG-1'], (fault) => faults.push(fault));
    const other = monitor.hold(['MIG-7']);
    await becomes([slice('5', '1g.5gb')]);
    expect(ids(monitor)).toEqual(['MIG-5 HEALTHY', 'MIG-1 UNHEALTHY']);
    await becomes([slice('5', '1g.5gb')]);
    expect(faults).toEqual(['Device MIG-1 failed: its GPU was divided differently and has no MIG-1']);
    expect([held.fault, other.fault]).toEqual([faults[0], undefined]);
    held.release();
    await becomes([slice('5', '1g.5gb')]);
    expect(ids(monitor)).toEqual(['MIG-5 HEALTHY']);
    monitor.close();
  });

  it('forgets a fault that is over', async () => {
    const { monitor, becomes } = await monitorOf([device('1')]);
    const hung = new Evidence('NVIDIA')
      .add('the bus', { pciAddress: '0000:01:00.0' })
      .add('the bus, but nvidia-smi: no answer within 15 s', { health: 'UNHEALTHY' })
      .device('PCI-0000:01:00.0', null);
    const faults: string[] = [];
    const held = monitor.hold(['GPU-1'], (fault) => faults.push(fault));
    await becomes([hung]);
    expect(held.fault).toMatch(/^Device GPU-1 failed: .*no answer within 15 s/);
    // A probe with unknown health does not clear the fault.
    await becomes([device('1', { health: 'UNKNOWN' })]);
    expect(held.fault).toMatch(/no answer/);
    await becomes([device('1')]);
    expect(held.fault).toBeUndefined();
    await becomes([device('1', { health: 'UNHEALTHY' })]);
    expect(held.fault).toBe('Device GPU-1 failed: test');
    expect(faults).toHaveLength(2);
    monitor.close();
  });

  it('probes again after a failure, not trusting a probe that began before it', async () => {
    const looks: ((devices: readonly DetectedDevice[]) => void)[] = [];
    const look = async (): Promise<readonly DetectedDevice[]> =>
      looks.length === 0 ? Promise.resolve([device('1')]) : new Promise((resolve) => looks.push(resolve));
    const monitor = new DeviceMonitor({ detect: look, periodMs: 1_000_000, log: silentLogger() });
    await monitor.start();
    looks.push(() => undefined);
    const held = monitor.hold(['GPU-1']);
    const hanging = monitor.probe();
    const after = monitor.probeAgain();
    expect(looks).toHaveLength(2);
    looks[1]?.([device('1', { health: 'UNHEALTHY' })]);
    await hanging;
    expect(held.fault).toBeDefined();
    await new Promise(setImmediate);
    expect(looks).toHaveLength(3);
    looks[2]?.([device('1')]);
    await after;
    expect(held.fault).toBeUndefined();
    monitor.close();
  });

  it('distinguishes devices without a bus address by the GPU they are slices of', async () => {
    const bare = (id: string, parentId?: string): DetectedDevice =>
      new Evidence('NVIDIA')
        .add('test', { health: 'HEALTHY', ...(parentId ? { parentId } : {}) })
        .device(id, id);
    const { monitor, becomes } = await monitorOf([bare('a'), bare('b')]);
    await becomes([bare('a-1', 'a'), bare('a-2', 'a')]);
    expect(ids(monitor)).toEqual(['a-1 HEALTHY', 'a-2 HEALTHY', 'b UNHEALTHY']);
    await becomes([bare('a'), bare('b')]);
    expect(ids(monitor)).toEqual(['a HEALTHY', 'b HEALTHY']);
    monitor.close();
  });

  it('replaces a device by its partitions, and the reverse', async () => {
    const whole = new Evidence('AMD').add('test', { health: 'HEALTHY' }).device('GPU-77', 'GPU-77');
    const part = (at: number): DetectedDevice =>
      new Evidence('AMD')
        .add('test', { health: 'HEALTHY', pciAddress: `0000:05:00.${at}` })
        .device(`GPU-77/${at}`, String(at));
    const { monitor, becomes } = await monitorOf([whole]);
    await becomes([part(0), part(1)]);
    expect(ids(monitor)).toEqual(['GPU-77/0 HEALTHY', 'GPU-77/1 HEALTHY']);
    await becomes([whole]);
    expect(ids(monitor)).toEqual(['GPU-77 HEALTHY']);
    monitor.close();
  });

  it('recognises the device that only the bus showed when its tool names it', async () => {
    const bare = new Evidence('NVIDIA')
      .add('the bus', { pciAddress: '0000:01:00.0' })
      .add('the bus, but the tool hangs', { health: 'UNHEALTHY' })
      .device('PCI-0000:01:00.0', null);
    const { monitor, becomes } = await monitorOf([bare]);
    await becomes([device('1')]);
    expect(ids(monitor)).toEqual(['GPU-1 HEALTHY']);
    monitor.close();
  });

  it('finds devices that are added to a host without any', async () => {
    let now: readonly DetectedDevice[] = [];
    const look = async (): Promise<readonly DetectedDevice[]> => Promise.resolve(now);
    const monitor = new DeviceMonitor({ detect: look, periodMs: 5, log: silentLogger() });
    await monitor.start();
    const change = new Promise<DeviceChange>((resolve) => monitor.follow(monitor.devices, resolve));
    now = [device('1')];
    expect(await change).toMatchObject({ isUrgent: true, devices: [{ id: 'GPU-1' }] });
    monitor.close();
  });

  it('keeps the devices when a probe fails', async () => {
    const { monitor, changes, becomes } = await monitorOf([device('1')]);
    await becomes(new Error('no'));
    expect([monitor.devices.length, changes.length]).toEqual([1, 0]);
    monitor.close();
  });

  it('reports changes since the known state to a new listener', async () => {
    const { monitor, becomes } = await monitorOf([device('1')]);
    const known = monitor.devices;
    await becomes([device('1', { health: 'UNHEALTHY' })]);
    const changes: DeviceChange[] = [];
    monitor.follow(known, (change) => changes.push(change));
    expect(changes).toMatchObject([{ isUrgent: true }]);
    monitor.close();
  });
});

describe('GpuUsageMeter', () => {
  it('has the mean over time and devices, and the largest memory of one device', () => {
    const meter = new GpuUsageMeter(['GPU-1', 'GPU-2']);
    meter.observe([
      device('1', { utilisation: 1, memoryUsedMiB: 5000 }),
      device('2', { utilisation: 0, memoryUsedMiB: 100 }),
      device('3', { utilisation: 1, memoryUsedMiB: 15_000 }),
    ]);
    meter.observe([device('1', { utilisation: 0.6, memoryUsedMiB: 4000 })]);
    expect(meter.usage.utilisation).toBeCloseTo(1.6 / 3);
    expect(meter.usage.peakMemoryMiB).toBe(5000);
  });

  it('ignores the first sample if there are others', () => {
    const meter = new GpuUsageMeter(['GPU-1']);
    meter.observe([device('1', { utilisation: 0, memoryUsedMiB: 3 })], true);
    expect(meter.usage).toEqual({ utilisation: 0, peakMemoryMiB: 3 });
    meter.observe([device('1', { utilisation: 0.8, memoryUsedMiB: 7000 })]);
    expect(meter.usage).toEqual({ utilisation: 0.8, peakMemoryMiB: 7000 });
  });

  it('samples a short payload before the regular time', async () => {
    const { monitor } = await monitorOf([device('1', { utilisation: 0.7 })]);
    const seen = new Promise<void>((resolve) => {
      let count = 0;
      const stop = monitor.sample(() => {
        count += 1;
        if (count < 2) return;
        stop();
        resolve();
      });
    });
    await seen;
    monitor.close();
  });

  it('is unknown without values', () => {
    const meter = new GpuUsageMeter(['GPU-1']);
    meter.observe([device('1')]);
    expect(meter.usage).toEqual({ utilisation: null, peakMemoryMiB: null });
  });
});
