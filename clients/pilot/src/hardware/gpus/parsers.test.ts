import { describe, expect, it } from '@jest/globals';
import * as amd from '../../testing/gpu-samples/amd.js';
import { mixed, mixedIds } from '../../testing/gpu-samples/nvidia.js';
import { parseAmdMetric, parseAmdPartition, parseAmdStatic, parseAmdVersion } from './amd/amd-smi.js';
import { parseRocmSmi } from './amd/rocm-smi.js';
import { Evidence, numberIn, pciAddressOf, pciIdOf, knownValue } from './detected-device.js';
import { jsonIn } from './tool-json.js';
import { parseSmiList } from './nvidia/smi-list.js';
import { parseSmiQuery, queriedFields, queryArguments, unknownField } from './nvidia/smi-query.js';

describe('parser of nvidia-smi --query-gpu', () => {
  it('reads the facts of each device; N/A is unknown', () => {
    expect(parseSmiQuery(mixed.query, queriedFields)).toEqual([
      {
        index: 0,
        isMig: true,
        uuid: mixedIds.a100,
        facts: {
          model: 'NVIDIA A100-SXM4-80GB',
          pciAddress: '0000:01:00.0',
          pciId: '10de:20b2',
          memoryMiB: 81920,
          memoryUsedMiB: 50,
          driverVersion: '535.54.03',
          eccEnabled: true,
          computeCapability: '8.0',
          health: 'HEALTHY',
        },
      },
      {
        index: 1,
        isMig: undefined,
        uuid: mixedIds.t4,
        facts: expect.objectContaining({ utilisation: 0.42, pciId: '10de:1eb8' }),
      },
    ]);
  });

  it.each(['[GPU is lost]', '[GPU requires reset]', '[Unknown Error]', 'ERR!'])(
    'marks a device that answers %s as unhealthy, and keeps its other facts',
    (word) => {
      const line = mixed.query.split('\n')[1]?.replace('42', word) ?? '';
      expect(parseSmiQuery(line, queriedFields)).toMatchObject([
        { uuid: mixedIds.t4, facts: { health: 'UNHEALTHY', model: 'Tesla T4' } },
      ]);
    },
  );

  it('reads amounts with units, and a header', () => {
    const text = `index, uuid\n${mixed.query.replaceAll(', ', ',').replaceAll(',15360,', ',15360 MiB,')}`;
    expect(parseSmiQuery(text, queriedFields).map(({ facts }) => facts.memoryMiB)).toEqual([81920, 15360]);
  });

  it('ignores lines of another form', () => {
    const text = 'No devices were found\n\nsome, words\n';
    expect(parseSmiQuery(text, queriedFields)).toEqual([]);
  });

  it('finds the field that a driver does not know', () => {
    expect(unknownField('Field "compute_cap" is not a valid field to query.\n')).toBe('compute_cap');
    expect(unknownField('Field "other" is not a valid field to query.')).toBeUndefined();
    expect(unknownField('No devices were found')).toBeUndefined();
    expect(queryArguments(['uuid', 'name'])).toEqual([
      '--query-gpu=uuid,name',
      '--format=csv,noheader,nounits',
    ]);
  });
});

describe('parser of nvidia-smi -L', () => {
  it('reads profile and UUID of each slice, under its device', () => {
    expect(parseSmiList(mixed.list)).toEqual([
      {
        index: 0,
        name: 'NVIDIA A100-SXM4-80GB',
        uuid: mixedIds.a100,
        slices: [
          { index: 0, profile: '3g.40gb', uuid: mixedIds.slices[0] },
          { index: 1, profile: '2g.20gb', uuid: mixedIds.slices[1] },
          { index: 2, profile: '1g.10gb', uuid: mixedIds.slices[2] },
        ],
      },
      { index: 1, name: 'Tesla T4', uuid: mixedIds.t4, slices: [] },
    ]);
  });

  it('reads the UUID of an integrated GPU, which has no prefix', () => {
    const uuid = '54d0709b-558d-5a59-9c65-0c5fc14a21a4';
    expect(parseSmiList(`GPU 0: Orin (nvgpu) (UUID: ${uuid})`)).toEqual([
      { index: 0, name: 'Orin (nvgpu)', uuid, slices: [] },
    ]);
  });

  it('reads slices of drivers before 470, and profiles of compute slices', () => {
    const text = `GPU 0: A100-PCIE-40GB (UUID: ${mixedIds.a100})
  MIG 1c.3g.20gb Device  0: (UUID: MIG-${mixedIds.a100}/2/0)
`;
    expect(parseSmiList(text)[0]?.slices).toEqual([
      { index: 0, profile: '1c.3g.20gb', uuid: `MIG-${mixedIds.a100}/2/0` },
    ]);
  });
});

describe('parser of rocm-smi', () => {
  it('reads the facts of each device of ROCm 6', () => {
    expect(parseRocmSmi(jsonIn(amd.rocmSmi))).toMatchObject([
      {
        index: 0,
        uniqueId: '04edfb117a17a07d',
        facts: {
          model: 'Instinct MI100',
          pciAddress: '0000:83:00.0',
          pciId: '1002:738c',
          gfxTarget: 'gfx908',
          memoryMiB: 32752,
          memoryUsedMiB: 6,
          utilisation: 0.37,
          driverVersion: '6.3.6',
        },
      },
      {
        index: 1,
        uniqueId: undefined,
        facts: { model: undefined, gfxTarget: undefined, pciId: '1002:73df' },
      },
    ]);
  });

  it('reads the keys of ROCm 4, and a warning before the JSON', () => {
    expect(parseRocmSmi(jsonIn(amd.oldRocmSmi))).toMatchObject([
      {
        uniqueId: '213f3c2c1d5b8a90',
        facts: { model: 'Radeon Instinct MI50 32GB', pciId: '1002:66a1', driverVersion: '5.9.25' },
      },
    ]);
  });
});

describe('the parser of amd-smi', () => {
  it('reads the facts of each device', () => {
    expect(parseAmdStatic(jsonIn(amd.amdSmi.static))[0]).toEqual({
      index: 0,
      uniqueId: '6f1f0a2b3c4d5e6f',
      fault: undefined,
      facts: {
        model: 'AMD Instinct MI300X',
        pciAddress: '0000:05:00.0',
        pciId: '1002:74a1',
        gfxTarget: 'gfx942',
        memoryMiB: 196592,
        driverVersion: '6.10.5',
        partitionMode: 'SPX/NPS1',
        eccEnabled: true,
      },
    });
  });

  it('reads statistics and memory errors', () => {
    const metrics = parseAmdMetric(jsonIn(amd.amdSmi.metric));
    expect(metrics.get(0)).toEqual({
      facts: { utilisation: 0.25, memoryUsedMiB: 1024, memoryMiB: 196592 },
      fault: undefined,
    });
    expect(metrics.get(1)?.fault).toBe('2 uncorrectable memory errors');
  });

  it('reads the release of ROCm, or nothing', () => {
    expect(parseAmdVersion(jsonIn(amd.amdSmi.version))).toBe('6.4.1');
    expect(parseAmdVersion(jsonIn('[{"rocm_version": "N/A"}]'))).toBeUndefined();
    expect(parseAmdVersion(undefined)).toBeUndefined();
  });

  it('reads a device that has lost too many pages, if the user may know', () => {
    const worn = (word: string) =>
      parseAmdStatic(jsonIn(`[{"gpu": 0, "ras": {"bad_page_threshold_exceeded": ${word}}}]`))[0]?.fault;
    for (const yes of ['"True"', 'true']) expect(worn(yes)).toMatch(/more memory pages were retired/);
    for (const no of ['"False"', 'false', '"N/A"']) expect(worn(no)).toBeUndefined();
  });

  it('reads the mode of a device with and without a star', () => {
    const mode = (word: string) =>
      parseAmdPartition(
        jsonIn(`{"current_partition": [{"gpu_id": 0, "memory": "NPS1", "accelerator_type": "${word}"}]}`),
      ).get(0);
    expect([mode('CPX'), mode('CPX*'), mode('N/A')]).toEqual(['CPX/NPS1', 'CPX/NPS1', 'NPS1']);
  });

  it('reads partitions one by one', () => {
    expect(
      parseAmdStatic(jsonIn(amd.partitioned)).map(({ index, facts }) => [index, facts.partitionMode]),
    ).toEqual([
      [0, 'CPX/NPS1'],
      [1, 'CPX/NPS1'],
      [2, 'CPX/NPS1'],
    ]);
  });
});

describe('the reader of tool output', () => {
  it.each([
    ...['N/A', '[N/A]', '[Not Supported]', '[Insufficient Permissions]', '[Unknown Error]', '', 'None'],
    ...['Requested functionality has been deprecated', undefined],
  ])('leaves %p unknown', (word) => {
    expect(knownValue(word)).toBeUndefined();
    expect(numberIn(word)).toBeUndefined();
  });

  it('gives addresses and ids one form', () => {
    expect(pciAddressOf('00000000:3B:00.0')).toBe('0000:3b:00.0');
    expect(pciAddressOf('3B:00.0')).toBe('0000:3b:00.0');
    expect(pciAddressOf('N/A')).toBeUndefined();
    expect(pciIdOf('8086', '0xbda')).toBe('8086:0bda');
  });

  it('finds JSON behind warnings, and none in other text', () => {
    expect(jsonIn('warning: [x]\n[{"a": 1}]')).toEqual([{ a: 1 }]);
    const behind =
      'WARNING: AMD GPU device(s) is/are in a low-power state.\n{"card0": {}}\n\nWARNING: slow\n';
    expect(jsonIn(behind)).toEqual({ card0: {} });
    expect(jsonIn('user is not in group render\n[\n  {"gpu": 0}\n]\nnot in group video\n')).toEqual([
      { gpu: 0 },
    ]);
    // amd-smi 26.2 printed its metrics like this.
    expect(jsonIn('[{"a": "]}\\"["}]\n[{"a": 2}]\n')).toEqual([{ a: ']}"[' }]);
    expect(jsonIn('{"a": ')).toBeUndefined();
    expect(jsonIn('ERROR: nothing [here]')).toBeUndefined();
  });
});

describe('Evidence of a device', () => {
  it('has a source for each fact, and a reason for unknown ones', () => {
    const device = new Evidence('AMD')
      .add('first', { model: 'MI210', memoryMiB: 65520, rocmVersion: null })
      .add('second', { model: 'other', driverVersion: '6.7.0' })
      .unknown('nobody asked', 'gfxTarget', 'driverVersion')
      .device('GPU-1', '0');
    expect(device).toMatchObject({ model: 'MI210', driverVersion: '6.7.0', health: 'UNKNOWN' });
    expect(device.sources).toEqual([
      { fact: 'model', source: 'first' },
      { fact: 'memoryMiB', source: 'first' },
      { fact: 'driverVersion', source: 'second' },
      { fact: 'gfxTarget', source: 'unknown: nobody asked' },
    ]);
  });

  it('leaves facts unknown that the API would refuse', () => {
    const device = new Evidence('NVIDIA')
      .add('tool', { cudaVersion: 'new', memoryMiB: 0, model: 'X'.repeat(200), memoryUsedMiB: 1.9 })
      .device('GPU-1', null);
    expect(device).toMatchObject({ model: 'unknown NVIDIA device', memoryUsedMiB: 1 });
    expect(device.cudaVersion).toBeUndefined();
    expect(device.memoryMiB).toBeUndefined();
    expect(device.sources).toContainEqual({ fact: 'cudaVersion', source: 'unknown: tool says new' });
  });
});
