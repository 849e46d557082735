import { join } from 'node:path';
import type { PilotOptions } from '../agent/pilot.js';

/** Options of a pilot in a test. */
export interface TestPilotOptions extends Partial<Omit<PilotOptions, 'host'>> {
  readonly host?: Partial<PilotOptions['host']>;
}

/** Isolation of payloads where the host allows it. */
export const testIsolation: PilotOptions['isolation'] = {
  mode: 'auto',
  readable: [],
  writable: [],
  isolatesNetwork: false,
  filtersSystemCalls: true,
  limits: { processes: 4096, openFiles: 4096 },
};

/** Payloads that see the host as the pilot does. */
export const withoutIsolation: PilotOptions['isolation'] = { ...testIsolation, mode: 'none' };

/** A pilot with four cores that works in the folder, asks often, and sees no device by default. */
export function testPilotOptions(folder: string, { host, ...rest }: TestPilotOptions = {}): PilotOptions {
  return {
    queue: 'q',
    name: 'test-pilot',
    labels: [],
    host: {
      scratch: join(folder, 'scratch'),
      searchPath: '/usr/bin:/bin',
      cores: 4,
      memoryMiB: 4096,
      diskMiB: 1000,
      ...host,
    },
    isolation: { ...testIsolation, readable: [folder] },
    gpus: { pciRoot: join(folder, 'no-bus'), periodMs: 100 },
    store: join(folder, 'store'),
    allowedNetworks: ['127.0.0.1'],
    lifetimeSeconds: null,
    drainSeconds: null,
    graceSeconds: 0.5,
    captureLimits: { head: 1 << 20, tail: 1 << 12, buffer: 1 << 20 },
    spoolMiB: 64,
    sampleMs: 200,
    longestIdlePauseMs: 300,
    version: '0.0.0',
    // The pilot is in the process of the tests: if that is killed, nothing of it is left.
    payloadsEnd: true,
    ...rest,
  };
}
