/** Wrong storages. */
import { casesOf } from '../case.js';

const noStorage = [
  ...(['a storage that is not there', 'name', 'nowhere'] as const),
  { code: 'STORAGE_NOT_FOUND' },
] as const;

/** Cases of storages. */
export const storages = [
  ...casesOf('createStorage', 'INVALID_VALUE', [
    ['a name with a blank', 'name', 'a b'],
    ['an unknown provider', 'provider', 'FTP', { code: 'BAD_USER_INPUT' }],
    ['an address of another protocol', 'address', 'ftp://files.test/a'],
    ['an address with a password', 'address', 'https://u:p@files.test/a', { names: 'https://files.test/…' }],
    ['a bucket without S3', 'bucket', 'histograms'],
    ['a path as credential', 'credential', '../keys'],
    [
      ...(['an unknown experiment', 'experiments', ['nowhere']] as const),
      { at: 'experiments.0', code: 'EXPERIMENT_NOT_FOUND', names: 'nowhere' },
    ],
    [
      ...(['an unknown queue', 'queueNames', ['nowhere']] as const),
      { at: 'queueNames.0', code: 'QUEUE_NOT_FOUND', names: 'nowhere' },
    ],
    [
      ...(['a prefix that leads out', 'sharedPrefixes', ['../a/']] as const),
      { at: 'sharedPrefixes.0', names: '../a' },
    ],
    ['files of no size', 'maxFileMiB', 0],
  ]),
  ...casesOf('setStorage', 'INVALID_VALUE', [
    noStorage,
    ['no address', 'address', null, { names: '""' }],
    ['an old revision', 'expectedRevision', 99, { code: 'REVISION_CONFLICT' }],
  ]),
  ...casesOf('removeStorage', 'STORAGE_NOT_FOUND', [noStorage]),
  ...casesOf('createUpload', 'INVALID_VALUE', [
    ['an unknown experiment', 'experiment', 'nowhere', { code: 'EXPERIMENT_NOT_FOUND' }],
    ['no name', 'name', '', { names: '""' }],
    ['too many files', 'fileCount', 100_001],
    ['an empty manifest', 'manifest.sizeBytes', 0],
    ['a part that is too large', 'parts.0.sizeBytes', 2 ** 31],
    ['a digest that is none', 'parts.0.sha256', 'AB'.repeat(32), { names: '"ABAB' }],
  ]),
  ...casesOf('completeUpload', 'UPLOAD_NOT_FOUND', [['an unknown upload', 'id', 'upload_other']]),
  ...casesOf('removeUpload', 'UPLOAD_NOT_FOUND', [['an unknown upload', 'id', 'upload_other']]),
];
