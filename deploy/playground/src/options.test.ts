import { describe, expect, it } from '@jest/globals';
import { parseOptions } from './options.js';

// Refused options end the process; test/e2e/tour tests them.
describe('parseOptions', () => {
  it('defaults to port 4000, two pilots, one process, the tour, data in .rhizome', () => {
    expect(parseOptions([], '/checkout')).toEqual({
      reset: false,
      once: false,
      port: 4000,
      data: '/checkout/.rhizome',
      pilots: 2,
      transport: 'in-process',
      tour: true,
      gpus: 'simulated',
      readableFolder: [],
      gpuFiles: [],
    });
  });

  it('reads all flags', () => {
    const flags = [
      '--reset',
      '--port',
      '0',
      '--data',
      'here',
      '--pilots',
      '0',
      '--transport',
      'http',
      '--gpus',
      'host',
      '--no-tour',
    ];
    expect(parseOptions(flags, '/checkout')).toEqual({
      reset: true,
      once: false,
      port: 0,
      data: '/checkout/here',
      pilots: 0,
      transport: 'http',
      tour: false,
      gpus: 'host',
      readableFolder: [],
      gpuFiles: [],
    });
    expect(parseOptions(['--once', '--data', '/elsewhere'], '/checkout')).toMatchObject({
      once: true,
      data: '/elsewhere',
    });
  });

  it('gives files of devices to pilots in order', () => {
    const flags = ['--gpu-simulate', 'a.json', '--gpu-simulate', '/b.json'];
    expect(parseOptions(flags, '/checkout')).toMatchObject({
      gpus: 'files',
      readableFolder: [],
      gpuFiles: ['/checkout/a.json', '/b.json'],
    });
  });
});
