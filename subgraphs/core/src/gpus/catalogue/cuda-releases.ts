/**
 * CUDA toolkits with their Linux drivers, common facts of major versions, and the first toolkit for each
 * compute capability.
 */
import type { CapabilityRow, CudaFamilyRow, CudaReleaseRow } from './catalogue.types.js';
import type { SourceKey } from './sources.js';
import { compareVersions, majorOf } from './versions.js';

/** Each release with its driver: `12.4.1` is update 1 of 12.4. Up to 10.2 the third number is the build. */
const drivers: Readonly<Record<string, string>> = {
  '13.4.0': '615',
  '13.3.0': '610',
  '13.2.0': '595.45.04',
  '13.1.1': '590.48.01',
  '13.1.0': '590.44.01',
  '13.0.2': '580.95.05',
  '13.0.1': '580.82.07',
  '13.0.0': '580.65.06',
  '12.9.1': '575.57.08',
  '12.9.0': '575.51.03',
  '12.8.1': '570.124.06',
  '12.8.0': '570.26',
  '12.6.3': '560.35.05',
  '12.6.2': '560.35.03',
  '12.6.1': '560.35.03',
  '12.6.0': '560.28.03',
  '12.5.1': '555.42.06',
  '12.5.0': '555.42.02',
  '12.4.1': '550.54.15',
  '12.4.0': '550.54.14',
  '12.3.2': '545.23.08',
  '12.3.1': '545.23.08',
  '12.3.0': '545.23.06',
  '12.2.2': '535.104.05',
  '12.2.1': '535.86.09',
  '12.2.0': '535.54.03',
  '12.1.1': '530.30.02',
  '12.1.0': '530.30.02',
  '12.0.1': '525.85.12',
  '12.0.0': '525.60.13',
  '11.8.0': '520.61.05',
  '11.7.1': '515.48.07',
  '11.7.0': '515.43.04',
  '11.6.2': '510.47.03',
  '11.6.1': '510.47.03',
  '11.6.0': '510.39.01',
  '11.5.2': '495.29.05',
  '11.5.1': '495.29.05',
  '11.5.0': '495.29.05',
  '11.4.4': '470.82.01',
  '11.4.3': '470.82.01',
  '11.4.2': '470.57.02',
  '11.4.1': '470.57.02',
  '11.4.0': '470.42.01',
  '11.3.1': '465.19.01',
  '11.3.0': '465.19.01',
  '11.2.2': '460.32.03',
  '11.2.1': '460.32.03',
  '11.2.0': '460.27.03',
  '11.1.1': '455.32',
  '11.1.0': '455.23',
  // The release that the notes call Update 1 has 3 as its number.
  '11.0.3': '450.51.06',
  '11.0.1': '450.51.06',
  '11.0.0': '450.51.05',
  '10.2.0': '440.33',
  '10.1.0': '418.39',
  '10.0.0': '410.48',
  '9.2.148': '396.37',
  '9.2.0': '396.26',
  '9.1.0': '390.46',
  '9.0.0': '384.81',
  '8.0.61': '375.26',
  '8.0.0': '367.48',
};

/** Releases without a number in the release notes that were available. */
const uncertainReleases = new Set(['13.2.0', '12.3.2']);

/**
 * Older driver branches that the forward-compatibility package of a release supports, where published. A
 * branch that runs the release by minor-version compatibility does not need the package, and is listed only
 * if the package names it.
 */
const forward: Readonly<
  Record<string, { readonly branches: readonly number[]; readonly source: SourceKey }>
> = {
  '13.3': { branches: [535, 550, 570], source: 'CUDASITE' },
  '13.2': { branches: [535, 550, 570], source: 'CUDASITE' },
  '13.1': { branches: [535, 550, 570, 575, 580], source: 'CUDACOMPAT' },
  '13.0': { branches: [535, 550, 565, 570, 575], source: 'CUDAIMAGES' },
  '12.9': { branches: [535, 550, 560, 565, 570], source: 'CUDACOMPAT' },
  '12.8': { branches: [470, 535, 550, 560, 565], source: 'CUDAIMAGES' },
  '12.6': { branches: [470, 535, 550], source: 'CUDAIMAGES' },
  '12.5': { branches: [470, 535, 550], source: 'CUDAIMAGES' },
  '12.4': { branches: [470, 525, 535], source: 'CUDAIMAGES' },
  '12.3': { branches: [470, 525, 535], source: 'CUDAIMAGES' },
  '12.2': { branches: [470, 525], source: 'CUDAIMAGES' },
  '12.1': { branches: [470, 525], source: 'CUDAIMAGES' },
  '12.0': { branches: [450, 470, 510, 515], source: 'CUDAIMAGES' },
  '11.8': { branches: [450, 470, 510, 515], source: 'CUDAIMAGES' },
  '11.7': { branches: [450, 470, 510], source: 'CUDAIMAGES' },
  '11.6': { branches: [418, 450, 470], source: 'CUDAIMAGES' },
  '11.5': { branches: [418, 450, 470], source: 'CUDAIMAGES' },
  '11.4': { branches: [418, 450], source: 'CUDAIMAGES' },
  '11.3': { branches: [418, 450], source: 'CUDAIMAGES' },
  '11.2': { branches: [418, 450], source: 'CUDAIMAGES' },
  '11.1': { branches: [418, 440], source: 'CUDASUPPORT' },
  '11.0': { branches: [418, 440], source: 'CUDASUPPORT' },
  '10.2': { branches: [418], source: 'CUDASUPPORT' },
  '10.1': { branches: [418], source: 'CUDAIMAGES' },
};

/** First release with a forward-compatibility package. */
const firstWithPackage = '10.0';

/** All releases, newest first. */
export const cudaReleases: readonly CudaReleaseRow[] = Object.entries(drivers).map(([release, driver]) => {
  const [major = '', minor = '', update = '0'] = release.split('.');
  const version = `${major}.${minor}`;
  const known = forward[version];
  const isPackageUnknown = known === undefined && compareVersions(version, firstWithPackage) >= 0;
  const uncertain = [
    ...(uncertainReleases.has(release) ? ['driver'] : []),
    ...(isPackageUnknown ? ['forwardBranches: no branch is published'] : []),
  ];
  return {
    version,
    update: Number(update),
    driver,
    forwardBranches: known?.branches ?? [],
    sources: [
      'CUDARN',
      ...(known ? [known.source] : []),
      ...(uncertain.length > 0 ? (['COMMON'] as const) : []),
    ],
    confidence: uncertain.length > 0 ? 'LOW' : 'HIGH',
    uncertain,
  };
});

/** Major versions, newest first. */
export const cudaFamilies: readonly CudaFamilyRow[] = [
  {
    major: 13,
    minorDriver: '580',
    oldestCapability: '7.5',
    sources: ['CUDAMVC', 'CUDARN', 'PYTORCH157517', 'CUDECOMP97'],
  },
  {
    major: 12,
    minorDriver: '525.60.13',
    oldestCapability: '5.0',
    sources: ['CUDAMVC', 'CUDNN', 'CUFFT', 'CLANG'],
  },
  { major: 11, minorDriver: '450.80.02', oldestCapability: '3.5', sources: ['CUDAMVC', 'CUFFT', 'CLANG'] },
  { major: 10, oldestCapability: '3.0', sources: ['CUDARN', 'CLANG'] },
  { major: 9, oldestCapability: '3.0', sources: ['CUDARN', 'CLANG'] },
  { major: 8, oldestCapability: '2.0', sources: ['CUDARN', 'CLANG'] },
];

/** First toolkit that can build for each capability. */
export const capabilities: readonly CapabilityRow[] = (
  [
    ['3.0', 'Kepler', '7.0', false, 'CLANG'],
    ['3.2', 'Kepler', '7.0', true, 'CLANG'],
    ['3.5', 'Kepler', '7.0', false, 'CLANG'],
    ['3.7', 'Kepler', '7.0', false, 'CLANG'],
    ['5.0', 'Maxwell', '7.0', false, 'CLANG'],
    ['5.2', 'Maxwell', '7.0', false, 'CLANG'],
    ['5.3', 'Maxwell', '7.0', true, 'CLANG'],
    ['6.0', 'Pascal', '8.0', false, 'CC'],
    ['6.1', 'Pascal', '8.0', false, 'CC'],
    ['6.2', 'Pascal', '8.0', true, 'CC'],
    ['7.0', 'Volta', '9.0', false, 'CC'],
    ['7.2', 'Volta', '9.1', true, 'CC'],
    ['7.5', 'Turing', '10.0', false, 'CC'],
    ['8.0', 'Ampere', '11.0', false, 'CC'],
    ['8.6', 'Ampere', '11.1', false, 'CC'],
    ['8.7', 'Ampere', '11.4', true, 'CC'],
    ['8.8', 'Ampere', '13.0', true, 'NVCC'],
    ['8.9', 'Ada Lovelace', '11.8', false, 'CC'],
    ['9.0', 'Hopper', '11.8', false, 'CC'],
    ['10.0', 'Blackwell', '12.8', false, 'CC'],
    ['10.3', 'Blackwell Ultra', '12.9', false, 'CC'],
    ['10.7', 'after Blackwell Ultra', '13.4', false, 'CUDARN'],
    ['11.0', 'Blackwell', '13.0', true, 'CC'],
    ['12.0', 'Blackwell', '12.8', false, 'CC'],
    ['12.1', 'Blackwell', '12.9', false, 'CC'],
  ] as const
).map(([capability, architecture, firstCuda, isEmbedded, source]) => ({
  capability,
  architecture,
  firstCuda,
  isEmbedded,
  // The table of families ends before 10.7: there is no source for code of older capabilities on it.
  family: capability === '10.7' ? capability : `${majorOf(capability)}`,
  sources: source === 'CC' ? ['CC', 'CLANG'] : [source],
}));
