/** Finds the files that a policy selects, in bounded parts. */
import type { Clock } from '@rhizome/clock';
import type { StorageFacts } from '../../storages/places.js';
import type { DatasetDocument } from '../dataset.document.js';
import type { DatasetFileDocument } from '../dataset-file.document.js';
import type { DatasetsRepository } from '../datasets.repository.js';
import type { DeletionScope } from './deletable-copies.js';
import { filesTogether } from './deletion-marker.js';
import type { DeletionsRepository } from './deletions.repository.js';
import type { FilePolicyRules } from './file-policy.document.js';

/** Dependencies of {@link PolicyScan}. */
export interface PolicyScanOptions {
  readonly datasets: Pick<DatasetsRepository, 'ofRange' | 'newestOfRange'>;
  readonly deletions: Pick<DeletionsRepository, 'candidates'>;
  readonly storages: (experiment: string) => Promise<readonly StorageFacts[]>;
  readonly clock: Clock;
}

/** Files of one dataset that a policy selects. */
export interface SelectedFiles {
  readonly dataset: DatasetDocument;
  readonly files: readonly DatasetFileDocument[];
  readonly scope: DeletionScope;
}

const datasetsTogether = 100;
const dayMs = 86_400_000;

/** Reads files for policies. */
export class PolicyScan {
  readonly #options: PolicyScanOptions;

  constructor(options: PolicyScanOptions) {
    this.#options = options;
  }

  /** The files of {@link files} in parts whose users are searched together. */
  async *parts(experiment: string, rules: FilePolicyRules): AsyncGenerator<readonly SelectedFiles[]> {
    let part: SelectedFiles[] = [];
    let count = 0;
    for await (const selected of this.files(experiment, rules)) {
      if (part.length > 0 && count + selected.files.length > filesTogether) {
        yield part;
        [part, count] = [[], 0];
      }
      part.push(selected);
      count += selected.files.length;
    }
    if (part.length > 0) yield part;
  }

  /** Files with available copies that are old enough. @throws MongoError if a read took too long */
  async *files(experiment: string, rules: FilePolicyRules): AsyncGenerator<SelectedFiles> {
    const { datasets, storages, clock } = this.#options;
    const range = { experiment, datasetId: rules.datasetId, namePrefix: rules.namePrefix };
    const newest = new Set(await datasets.newestOfRange(range, rules.keepNewest));
    const until = new Date(clock.now().getTime() - rules.keepDays * dayMs);
    const known = await storages(experiment);
    let part: readonly DatasetDocument[];
    let after = '';
    do {
      part = await datasets.ofRange(range, after, datasetsTogether);
      for (const dataset of part) {
        const isKept = newest.has(dataset._id) || (rules.since === 'LAST_USED' && lastUse(dataset) > until);
        if (!isKept) yield* this.#filesOf(dataset, until, scopeOf(dataset, rules, known, until));
      }
      after = part.at(-1)?.name ?? after;
    } while (part.length === datasetsTogether);
  }

  async *#filesOf(
    dataset: DatasetDocument,
    addedUntil: Date,
    scope: DeletionScope,
  ): AsyncGenerator<SelectedFiles> {
    const { deletions } = this.#options;
    const limit = filesTogether;
    for (let after: number | undefined = -1; after !== undefined;) {
      const part = { datasetId: dataset._id, after, limit };
      const { files, next } = await deletions.candidates(part, dataset.totals.files, { addedUntil });
      if (files.length > 0) yield { dataset, files, scope };
      after = next;
    }
  }
}

/** Latest time at which a dataset was filled, closed, or read by a task. */
function lastUse({ lastUsedAt, updatedAt }: DatasetDocument): Date {
  return lastUsedAt && lastUsedAt > updatedAt ? lastUsedAt : updatedAt;
}

/** Policies delete no files of all members: anyone can record these in a dataset. */
function scopeOf(
  { experiment, owner }: DatasetDocument,
  { storageName, minReplicas }: FilePolicyRules,
  storages: readonly StorageFacts[],
  unchangedSince: Date,
): DeletionScope {
  return {
    owner: { experiment, owner },
    includesShared: false,
    ...{ storages, storageName, minReplicas, unchangedSince },
  };
}
