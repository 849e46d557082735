import { describe, expect, it } from '@jest/globals';
import type { StorageFacts } from '../../storages/places.js';
import type { ReplicaState } from '../dataset-file.document.js';
import { copiesToDelete, deletablePlace, type DeletionScope } from './deletable-copies.js';

const storage = (_id: string, provider: StorageFacts['provider'] = 'FOLDER'): StorageFacts => ({
  ...{
    _id,
    provider,
    address: `${provider === 'XROOTD' ? 'root' : 'https'}://${_id}.test`,
    isDefault: false,
  },
  ...{ experiments: [], queues: [], sharedPrefixes: ['calibration/'] },
});
const scope: DeletionScope = {
  owner: { experiment: 'alpha', owner: 'ada' },
  includesShared: false,
  storages: [storage('disk'), storage('tape'), storage('grid', 'XROOTD')],
  minReplicas: 0,
};
const changedAt = new Date(1000);
const copy = (location: string, state: ReplicaState = 'AVAILABLE') => ({ location, state, changedAt });
const at = (name: string): string => `rhizome://${name}/alpha/ada/x`;

describe('deletablePlace', () => {
  it.each([
    ['a place of the owner', at('disk'), true],
    ['an output of a job of the owner', 'rhizome://disk/alpha/ada/jobs/job_1/3/o', true],
    ['a part of an upload', 'rhizome://disk/alpha/ada/uploads/ab', false],
    ['a place of another owner', 'rhizome://disk/alpha/bob/x', false],
    ['a place of another experiment', 'rhizome://disk/beta/ada/x', false],
    ['a file of all members', 'rhizome://disk/alpha/shared/x', false],
    ['a file below a shared prefix of the storage', 'rhizome://disk/calibration/x', false],
    ['a storage of XRootD, whose files have other names', at('grid'), false],
    ['an unknown storage', at('nowhere'), false],
    ['a URL', 'https://disk.test/alpha/ada/x', false],
  ])('decides about %s: %s is %s', (_what, location, isDeletable) => {
    expect(deletablePlace(location, scope) !== undefined).toBe(isDeletable);
  });

  it('includes files of all members for those who manage the experiment', () => {
    const wide = { ...scope, includesShared: true };
    expect(deletablePlace('rhizome://disk/alpha/shared/x', wide)).toBeDefined();
    expect(deletablePlace('rhizome://disk/calibration/x', wide)).toBeUndefined();
    expect(deletablePlace('rhizome://disk/alpha/bob/x', wide)).toBeUndefined();
  });
});

describe('copiesToDelete', () => {
  const chosen = (copies: readonly ReturnType<typeof copy>[], over: Partial<DeletionScope>) =>
    copiesToDelete({ replicas: copies }, { ...scope, ...over }).map(({ location }) => location);

  it('leaves the required number of copies AVAILABLE, those that were added last', () => {
    const copies = [copy(at('disk')), copy(at('tape')), copy('https://mirror.test/x')];
    expect(chosen(copies, { minReplicas: 2 })).toEqual([at('disk')]);
    expect(chosen(copies, { minReplicas: 1 })).toEqual([at('disk'), at('tape')]);
    expect(chosen(copies, { minReplicas: 3 })).toEqual([]);
  });

  it('counts an address of a storage, or another key in it, as the same copy', () => {
    const both = [
      copy(at('disk')),
      copy('https://disk.test/alpha/ada/x'),
      copy(at('disk').replace('/x', '/y')),
    ];
    expect(chosen(both, { minReplicas: 1, storageName: 'disk' })).toEqual([]);
    expect(chosen([...both, copy(at('tape'))], { minReplicas: 1, storageName: 'disk' })).toHaveLength(2);
    const grid = [copy(at('disk')), copy(at('grid')), copy('root://grid.test//alpha/ada/x')];
    expect(chosen(grid, { minReplicas: 1 })).toEqual([at('disk')]);
    expect(chosen(grid, { minReplicas: 2 })).toEqual([]);
  });

  it('counts no copy that cannot be read', () => {
    const copies = [copy(at('disk')), copy(at('tape'), 'LOST'), copy('https://m.test/x', 'UNAVAILABLE')];
    expect(chosen(copies, { minReplicas: 1 })).toEqual([]);
    expect(chosen(copies, {})).toEqual([at('disk')]);
  });

  it('chooses copies of one storage alone, and none that has changed since', () => {
    const copies = [copy(at('disk')), copy(at('tape'))];
    expect(chosen(copies, { storageName: 'tape' })).toEqual([at('tape')]);
    expect(chosen(copies, { unchangedSince: new Date(999) })).toEqual([]);
  });
});
