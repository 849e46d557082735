import { describe, expect, it } from '@jest/globals';
import { aDevice, aGpu, aQueue, aWorker, someRequirements } from '../../../test/support/scheduler.fixture.js';
import { prepareClass } from '../../scheduler/requirements/requirement-class.js';
import { type PilotShape, Shapes } from './shapes.js';

const shapeOf = (
  name: string,
  change: Parameters<typeof aWorker>[0] = {},
  lifetimeSeconds = 86_400,
): PilotShape => {
  const { hardware, labels, devices } = aWorker(change);
  return { name, hardware, labels, devices, lifetimeSeconds };
};
const small = shapeOf('small', { hardware: { cores: 1, memoryMiB: 2048 } });
const large = shapeOf('large', {
  hardware: { cores: 8, memoryMiB: 16_384 },
  labels: [{ key: 'site', value: 'x' }],
});
const fit = (
  change: Parameters<typeof someRequirements>[0],
  shapes: readonly PilotShape[] = [small, large],
  queue = aQueue({}),
) => new Shapes(queue, shapes, 0).fit(prepareClass('class_a', -1, someRequirements(change)));

describe('the shape of a class', () => {
  it('is the first one that serves it, with the number of its jobs that run together', () => {
    expect(fit({})).toEqual({ shape: 'small', jobsPerPilot: 1 });
    expect(fit({ cores: 2 })).toEqual({ shape: 'large', jobsPerPilot: 4 });
    expect(fit({ memoryMiB: 6000 })).toEqual({ shape: 'large', jobsPerPilot: 2 });
    expect(fit({ selector: 'worker.labels["site"] == "x"' })).toEqual({ shape: 'large', jobsPerPilot: 8 });
  });

  it('is none where a fact is missing, and the reason says which', () => {
    expect(fit({ cores: 9 })).toEqual({ reason: 'large: cores >= 9: has 8' });
    expect(fit({ walltimeSeconds: 90_000 })).toEqual({
      reason: 'large: walltime of 90000 s is longer than the life of 86400 s',
    });
    expect(fit({ network: true }).reason).toMatch(/^large: .*network/);
    expect(fit({ gpu: aGpu({}) }).reason).toMatch(/^large: /);
    const limited = aQueue({ limits: { maxCores: 4 } });
    expect(fit({ cores: 5 }, [large], limited).reason).toMatch(/^large: .*4/);
  });

  it('serves jobs with secrets if it has isolation, because pilots enrol', () => {
    const cls = prepareClass('class_a', -1, someRequirements({ secrets: true }));
    const isolated = shapeOf('isolated', { hardware: { isolation: ['NAMESPACES'] } });
    expect(new Shapes(aQueue({}), [small, isolated], 0).fit(cls)).toMatchObject({ shape: 'isolated' });
    expect(new Shapes(aQueue({}), [small], 0).fit(cls).reason).toMatch(/^small: .*isolation/);
  });

  it('has devices for all of its jobs', () => {
    const devices = ['GPU-1', 'GPU-2'].map((id) => aDevice({ id }));
    const gpus = shapeOf('gpus', { devices });
    expect(fit({ gpu: aGpu({}) }, [gpus])).toEqual({ shape: 'gpus', jobsPerPilot: 2 });
    expect(fit({ gpu: aGpu({ count: 2 }) }, [gpus])).toEqual({ shape: 'gpus', jobsPerPilot: 1 });
  });

  it('is none where the queue is down before the job could end', () => {
    const startsAt = new Date(3_000_000);
    const queue = aQueue({ downtimes: [{ startsAt, endsAt: new Date(9e9), reason: 'cooling' }] });
    expect(fit({ walltimeSeconds: 3600 }, [small], queue)).toEqual({
      reason: 'small: the queue is down too soon',
    });
    expect(fit({ walltimeSeconds: 600 }, [small], queue)).toMatchObject({ shape: 'small' });
  });
});
