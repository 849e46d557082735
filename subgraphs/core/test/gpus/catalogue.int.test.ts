import { beforeAll, describe, expect, it } from '@jest/globals';
import { startCore, type TestCore } from '../support/core.fixture.js';

let core: TestCore;

beforeAll(async () => {
  core = await startCore();
  await core.ask(
    `mutation { registerExperiment(input: { name: "alpha", title: "Alpha" }) { userErrors { message } } }`,
  );
});

describe('gpuModel', () => {
  const all =
    'name vendor architecture chip computeCapability gfxTarget memoryGB leastReportedMiB pciIds gpusPerCard computeUnits tiles migSlices migInstances isDataCenter partitions confidence uncertain';

  it.each([
    [
      'NVIDIA A100 80GB PCIe',
      {
        ...{ name: 'A100-PCIE-80GB', architecture: 'Ampere', chip: 'GA100', computeCapability: '8.0' },
        ...{ memoryGB: 80, leastReportedMiB: 77_824, pciIds: ['10de:20b5'], gpusPerCard: 1 },
        ...{ migSlices: 7, migInstances: 7, isDataCenter: true, confidence: 'HIGH', computeUnits: null },
      },
    ],
    // A sixteenth of its memory is used for error correction.
    ['Tesla T4', { name: 'T4', chip: 'TU104', memoryGB: 16, leastReportedMiB: 14_592 }],
    // The reported values are less than 5 % below 288 GB.
    ['10de:3182', { name: 'B300', memoryGB: 288, leastReportedMiB: 275_040 }],
    ['10de:25b6', { name: 'A16', gpusPerCard: 4, confidence: 'LOW', uncertain: ['memoryGB'] }],
    ['RTX PRO 5000 Blackwell', { migSlices: 4, migInstances: 2, isDataCenter: false }],
    [
      'AMD Instinct MI250X',
      { vendor: 'AMD', gfxTarget: 'gfx90a', memoryGB: 64, computeUnits: 110, gpusPerCard: 2 },
    ],
    ['MI300X', { computeUnits: 304, tiles: 8, partitions: ['SPX 1', 'DPX 2', 'QPX 4', 'CPX 8'] }],
    ['8086:0bd5', { name: 'Max 1550', vendor: 'INTEL', memoryGB: 128, tiles: 2, gfxTarget: null }],
  ])('returns each fact of %s', async (name, expected) => {
    const { gpuModel } = await core.ask(`query ($name: String!) { gpuModel(name: $name) { ${all} } }`, {
      name,
    });
    expect(gpuModel).toMatchObject(expected);
  });
});

describe('an impossible GPU requirement', () => {
  const wrong = { vendor: 'AMD', cuda: { runtime: '12', sassTargets: ['8.0'] } };
  const expected = [
    ['requirements.gpu.cuda.runtime', /"12" is not valid; must be a version such as 12\.4/],
    ['requirements.gpu.cuda.sassTargets.0', /"8\.0" is not valid; must be a SASS target such as sm_80/],
    ['requirements.gpu.cuda.runtime', /must be absent with vendor AMD/],
    ['requirements.gpu.cuda.sassTargets', /must be absent with vendor AMD/],
  ] as const;

  it.each(['submitted', 'asked about'])(
    'is rejected when it is %s, with one user error for each mistake',
    async (how) => {
      const requirements = { gpu: wrong };
      const answer =
        how === 'submitted'
          ? await core.ask(
              'mutation ($input: SubmitJobsInput!) { submitJobs(input: $input) { userErrors { path message } } }',
              {
                input: {
                  experiment: 'alpha',
                  idempotencyKey: 'wrong',
                  jobs: [{ name: 'j', requirements, payload: { command: 'true' } }],
                },
              },
            )
          : await core.ask(
              'query ($input: ExplainRequirementsInput!) { explainRequirements(input: $input) { userErrors { path message } } }',
              { input: { experiment: 'alpha', requirements } },
            );
      const [payload] = Object.values(answer) as unknown as {
        userErrors: { path: string[]; message: string }[];
      }[];
      const found = payload?.userErrors ?? [];
      expect(found.map(({ path }) => path.join('.').replace(/^jobs\.0\./, ''))).toEqual(
        expected.map(([path]) => path),
      );
      expected.forEach(([, words], at) => expect(found[at]?.message).toMatch(words));
    },
  );
});
