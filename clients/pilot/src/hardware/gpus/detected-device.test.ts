/** The API accepts every device, whatever tools print: one odd value must not keep a host out. */
import { describe, expect, it } from '@jest/globals';
import { Evidence } from './detected-device.js';

/** The API's rule for a source. */
function isTaken(text: string): boolean {
  const { length } = [...text];
  return length >= 1 && length <= 128 && text.trim() === text && !/\p{Cc}/u.test(text);
}

describe('Evidence', () => {
  // nvidia-smi prints this itself when it fails.
  const complaints = [
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest NVIDIA driver is installed and running.",
    'Unable to determine the device handle for GPU0: 0000:3D:00.0: GPU is lost.  Reboot the system to recover this GPU',
    "NVIDIA-SMI couldn't find libnvidia-ml.so library in your system. Please make sure that the NVIDIA Display Driver is properly installed and present in your system.",
    'two\nlines,\ta tab and a BEL\u0007',
    '\u{1f525}'.repeat(200),
  ];

  it.each(complaints)('cuts a source to the length that the API accepts: %j', (complaint) => {
    for (let before = 0; before < 100; before += 1) {
      const why = `${'x'.repeat(before)}: ${complaint}`;
      const { sources } = new Evidence('NVIDIA')
        .add(why, { health: 'UNHEALTHY' })
        .unknown(why, 'memoryMiB')
        .device('GPU-1', null);
      expect(sources).toHaveLength(2);
      expect(sources.filter(({ source }) => !isTaken(source))).toEqual([]);
    }
  });
});

describe('Evidence of a value that the API would refuse', () => {
  it.each([
    ['driverVersion', 'N/A'],
    ['driverVersion', ''],
    ['driverVersion', '9'.repeat(65)],
    ['brand', 'Tesla '],
    ['brand', 'Te\tsla'],
    ['migProfile', '1g.5gb\n'],
    ['cudaVersion', 'ERR!'],
    ['gfxTarget', 'gfx90a:xnack-'],
    ['memoryMiB', 0],
    ['memoryMiB', Infinity],
    ['memoryUsedMiB', -1],
  ] as const)('leaves %s %j unknown, and keeps what the tool printed', (fact, value) => {
    const device = new Evidence('NVIDIA').add('a tool', { [fact]: value }).device('GPU-1', null);
    expect(device[fact]).toBeUndefined();
    expect(device.sources).toEqual([
      { fact, source: expect.stringMatching(/^unknown: a tool says/) as unknown },
    ]);
  });
});
