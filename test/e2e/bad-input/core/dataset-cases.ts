/** Wrong datasets and files of datasets. */
import { casesOf } from '../case.js';

const noDataset = [
  ...(['a dataset that is not there', 'datasetId', 'dataset_nowhere'] as const),
  { code: 'DATASET_NOT_FOUND' },
] as const;

/** Cases of datasets. */
export const datasets = [
  ...casesOf('createDataset', 'INVALID_VALUE', [
    ['a name with a blank', 'name', 'a b'],
    ['an empty name', 'name', ''],
    [
      ...(['a key with a blank', 'metadata', [{ key: 'a b', value: 'x' }]] as const),
      { at: 'metadata.0.key', names: 'a b' },
    ],
  ]),
  ...casesOf('appendDatasetFiles', 'INVALID_VALUE', [
    noDataset,
    ['no files', 'files', [], { names: '0 entries' }],
    [
      ...(['a name that leads out', 'files', [{ name: '../x', sizeBytes: 1 }]] as const),
      { at: 'files.0.name', names: '../x' },
    ],
    [
      ...(['a negative size', 'files', [{ name: 'x', sizeBytes: -1 }]] as const),
      { at: 'files.0.sizeBytes', names: '-1' },
    ],
    [
      ...(['a digest of no algorithm', 'files', [{ name: 'x', sizeBytes: 1, digest: 'crc:1' }]] as const),
      { at: 'files.0.digest', names: 'crc:1' },
    ],
  ]),
  ...casesOf('setDatasetReplicas', 'INVALID_VALUE', [
    noDataset,
    ['no replicas', 'replicas', [], { names: '0 entries' }],
    [
      ...([
        'a file that is not there',
        'replicas',
        [{ fileName: 'nowhere', location: 'https://a.test/x' }],
      ] as const),
      { at: 'replicas.0.fileName', code: 'FILE_NOT_FOUND', names: 'nowhere' },
    ],
  ]),
  ...casesOf('setFilePolicy', 'INVALID_VALUE', [
    ['a name with a blank', 'name', 'a b'],
    ['a time of zero', 'rules.keepDays', 0],
    ['a storage that is not there', 'rules.storageName', 'nowhere'],
    ['a dataset that is not there', 'rules.datasetId', 'dataset_nowhere', { code: 'DATASET_NOT_FOUND' }],
  ]),
  ...casesOf('deleteDatasetFiles', 'INVALID_VALUE', [
    noDataset,
    ['too many copies', 'minReplicas', 21],
    ['too many days', 'restoreDays', 366],
  ]),
  ...casesOf('restoreDatasetFiles', 'INVALID_VALUE', [
    noDataset,
    ['a negative position', 'afterPosition', -1],
  ]),
  ...casesOf('closeDataset', 'DATASET_NOT_FOUND', [noDataset]),
  ...casesOf('removeDataset', 'DATASET_NOT_FOUND', [noDataset]),
];
