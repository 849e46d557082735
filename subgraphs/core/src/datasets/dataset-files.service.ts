/** Files of datasets: adding, replicas, listing. */
import type { Principal } from '@rhizome/authz';
import type { Clock } from '@rhizome/clock';
import { badInput, type InputError, InputErrors } from '@rhizome/errors';
import type { KeysetPage } from '@rhizome/mongo';
import { isInStorage, type StorageFacts } from '../storages/places.js';
import { type DatasetCode, manageable } from './dataset-access.js';
import type { DatasetDocument } from './dataset.document.js';
import {
  type DatasetFileDocument,
  fileIdOf,
  mostReplicas,
  type ReplicaState,
} from './dataset-file.document.js';
import {
  type DatasetFilesRepository,
  type FileFilter,
  filesAtOnce,
  type NewFile,
} from './dataset-files.repository.js';
import {
  checkFiles,
  checkLocation,
  checkState,
  type DatasetFileSpec,
  isSameFile,
  newFile,
  storageOf,
} from './dataset-input.js';
import { hasBegun, isBeingDeleted, withReplica } from './replicas.js';
import type { DatasetsRepository } from './datasets.repository.js';

/** Dependencies of {@link DatasetFilesService}. */
export interface DatasetFilesOptions {
  readonly datasets: Pick<DatasetsRepository, 'find'>;
  readonly files: DatasetFilesRepository;
  /** Storages that an experiment uses, as stored now. */
  readonly storages: (experiment: string) => Promise<readonly StorageFacts[]>;
  /** Called after copies of files were added or changed. */
  readonly onReplicas: (datasetId: string) => Promise<void>;
  readonly clock: Clock;
}

/** Codes of `appendDatasetFiles` in addition to INVALID_VALUE. */
export type AppendFilesCode = DatasetCode | 'DATASET_CLOSED' | 'FILE_CONFLICT';
/** Codes of `setDatasetReplicas` in addition to INVALID_VALUE. */
export type SetReplicasCode = DatasetCode | 'FILE_NOT_FOUND' | 'REVISION_CONFLICT' | 'DELETION_BEGUN';

/** Result of `appendDatasetFiles`. */
export interface AppendResult {
  readonly dataset: DatasetDocument | null;
  readonly addedCount: number;
  readonly repeatedCount: number;
  readonly userErrors: readonly InputError<AppendFilesCode>[];
}

/** Result of `setDatasetReplicas`. */
export interface SetReplicasResult {
  readonly files: readonly DatasetFileDocument[];
  readonly userErrors: readonly InputError<SetReplicasCode>[];
}

/** State of a replica to set. */
export interface SetReplica {
  readonly fileName: string;
  readonly location: string;
  readonly state?: ReplicaState | null | undefined;
}

/** Text for what would be right instead of a place whose file is being deleted. */
const kept = 'a place whose file is not being deleted; restore the file, or wait until it is gone';
/** Most replicas of a call. */
const mostSet = 1000;
/** Number of attempts after which a change gives up because of concurrent changes of the same file. */
const maxTries = 10;
const mostErrors = 100;
const maxNamed = 1000;

/** Files of datasets. */
export class DatasetFilesService {
  readonly #options: DatasetFilesOptions;

  constructor(options: DatasetFilesOptions) {
    this.#options = options;
  }

  /**
   * Adds files to an open dataset. Those that were added before are left as they are, so a call that was
   * interrupted can be repeated. @throws DomainError FORBIDDEN
   */
  async append(
    principal: Principal,
    { datasetId, files: specs }: { readonly datasetId: string; readonly files: readonly DatasetFileSpec[] },
  ): Promise<AppendResult> {
    const { datasets, files, storages, clock } = this.#options;
    const errors = new InputErrors<AppendFilesCode>();
    const refused = (): AppendResult => ({
      ...{ dataset: null, addedCount: 0, repeatedCount: 0 },
      userErrors: errors.all.slice(0, mostErrors),
    });
    const found = manageable(errors, principal, await datasets.find(datasetId), datasetId);
    if (!found) return refused();
    const known = await storages(found.experiment);
    checkFiles(errors, specs, found, known);
    if (!errors.isEmpty) return refused();
    const gone = await this.#deleted(
      specs.flatMap(({ replicas }) => replicas ?? []),
      new Set(specs.map(({ name }) => fileIdOf(datasetId, name))),
    );
    specs.forEach(({ replicas }, at) =>
      replicas?.forEach(({ location }, position) => {
        const path = ['files', at, 'replicas', position, 'location'];
        if (gone.has(location)) errors.add(path, location, kept);
      }),
    );
    if (!errors.isEmpty) return refused();
    const now = clock.now();
    const parts = partsOf(specs.map((spec) => newFile(spec, known, now)));
    for (const [at, part] of parts.entries())
      reportConflicts(
        errors,
        part,
        await files.named(
          datasetId,
          part.map(({ name }) => name),
        ),
        at * filesAtOnce,
      );
    if (!errors.isEmpty) return refused();
    let dataset: DatasetDocument | null = found;
    let addedCount = 0;
    for (const [at, part] of parts.entries()) {
      const addition = await files.add(datasetId, part, ['OPEN'], now);
      if (!addition.dataset) return this.#closed(errors, refused, { datasetId, parts });
      reportConflicts(errors, part, addition.known, at * filesAtOnce);
      if (addition.isTooLarge) {
        const expected = `files with which the dataset has at most ${Number.MAX_SAFE_INTEGER} bytes and events`;
        errors.add(['files'], `${specs.length} files`, expected);
      }
      if (!errors.isEmpty) return refused();
      dataset = addition.dataset;
      addedCount += addition.added;
    }
    return { dataset, addedCount, repeatedCount: specs.length - addedCount, userErrors: [] };
  }

  /** A dataset that takes no files: a repeated call whose files are all there succeeds nevertheless. */
  async #closed(
    errors: InputErrors<AppendFilesCode>,
    refused: () => AppendResult,
    { datasetId, parts }: { readonly datasetId: string; readonly parts: readonly (readonly NewFile[])[] },
  ): Promise<AppendResult> {
    const { datasets, files } = this.#options;
    let there = 0;
    for (const part of parts)
      there += (
        await files.named(
          datasetId,
          part.map(({ name }) => name),
        )
      ).length;
    const wanted = parts.reduce((sum, part) => sum + part.length, 0);
    const dataset = await datasets.find(datasetId);
    if (dataset?.state === 'CLOSED' && there === wanted)
      return { dataset, addedCount: 0, repeatedCount: wanted, userErrors: [] };
    const text = `datasetId: dataset "${datasetId}" takes no files; must be OPEN`;
    errors.report('DATASET_CLOSED', ['datasetId'], text);
    return refused();
  }

  /** Adds replicas to files, or changes their states. @throws DomainError FORBIDDEN */
  async setReplicas(
    principal: Principal,
    { datasetId, replicas }: { readonly datasetId: string; readonly replicas: readonly SetReplica[] },
  ): Promise<SetReplicasResult> {
    const { datasets, files, storages } = this.#options;
    const errors = new InputErrors<SetReplicasCode>();
    const refused = (): SetReplicasResult => ({ files: [], userErrors: errors.all.slice(0, mostErrors) });
    const dataset = manageable(errors, principal, await datasets.find(datasetId), datasetId);
    if (!dataset) return refused();
    errors.list(['replicas'], replicas, mostSet, 1);
    if (!errors.isEmpty) return refused();
    const known = await storages(dataset.experiment);
    replicas.forEach(({ location }, at) =>
      checkLocation(errors, location, ['replicas', at, 'location'], dataset, known),
    );
    const names = [...new Set(replicas.map(({ fileName }) => fileName))];
    const there = new Map((await files.named(datasetId, names)).map((file) => [file.name, file]));
    replicas.forEach(({ fileName }, at) => {
      if (there.has(fileName)) return;
      const text = `replicas.${at}.fileName: ${JSON.stringify(fileName.slice(0, 100))} is no file of dataset "${dataset.name}"`;
      errors.report('FILE_NOT_FOUND', ['replicas', at, 'fileName'], text);
    });
    const gone = await this.#deleted(replicas, new Set([...there.values()].map(({ _id }) => _id)));
    replicas.forEach(({ location, state }, at) => {
      if (gone.has(location) && state !== 'LOST') errors.add(['replicas', at, 'location'], location, kept);
      checkState(errors, state, ['replicas', at, 'state']);
    });
    if (!errors.isEmpty) return refused();
    const written: DatasetFileDocument[] = [];
    for (const file of there.values()) {
      const own = replicas.filter(({ fileName }) => fileName === file.name);
      const changed = await this.#set(errors, file, own, known);
      if (!changed) break;
      written.push(changed);
    }
    // Also if a later file was refused: tasks may wait for these.
    if (written.length > 0) await this.#options.onReplicas(datasetId);
    return errors.isEmpty ? { files: written, userErrors: [] } : refused();
  }

  /** Locations among these at which copies of other files are being deleted. */
  async #deleted(
    copies: readonly { readonly location: string }[],
    own: ReadonlySet<string>,
  ): Promise<ReadonlySet<string>> {
    const sought = [...new Set(copies.map(({ location }) => location).filter(isInStorage))];
    const others = (await this.#options.files.at(sought)).filter(({ _id }) => !own.has(_id));
    return new Set(
      others.flatMap((file) => file.replicas.filter(isBeingDeleted)).map(({ location }) => location),
    );
  }

  async #set(
    errors: InputErrors<SetReplicasCode>,
    file: DatasetFileDocument,
    wanted: readonly SetReplica[],
    storages: readonly StorageFacts[],
  ): Promise<DatasetFileDocument | undefined> {
    const { files, clock } = this.#options;
    let current: DatasetFileDocument | undefined = file;
    for (let tries = 0; current && tries < maxTries; tries++) {
      const now = clock.now();
      const begun = current.replicas.filter(hasBegun).map(({ location }) => location);
      const late = wanted.find(
        ({ location, state }) =>
          // A lost copy claims no content, so it is the way out of a deletion that cannot end.
          begun.includes(location) && state !== 'BEING_DELETED' && state !== 'LOST',
      );
      if (late) {
        const text = `replicas: the deletion of ${late.location} has begun; it cannot be restored`;
        errors.report('DELETION_BEGUN', ['replicas'], text);
        return undefined;
      }
      const replicas = wanted.reduce(
        (all, { location, state }) =>
          withReplica(all, { location, ...storageOf(location, storages), state: state ?? 'AVAILABLE' }, now),
        current.replicas,
      );
      if (replicas === current.replicas) return current;
      if (replicas.length > mostReplicas) {
        errors.add(['replicas'], `${replicas.length} replicas of ${file.name}`, `at most ${mostReplicas}`);
        return undefined;
      }
      if (await files.setReplicas(current, replicas, now))
        return { ...current, replicas, updatedAt: now, revision: current.revision + 1 };
      [current] = await files.named(file.datasetId, [file.name]);
    }
    const text = `replicas: file "${file.name}" is being changed by other calls; try again`;
    errors.report('REVISION_CONFLICT', ['replicas'], text);
    return undefined;
  }

  /** A page of the files of a dataset, in the order in which they were added. @throws DomainError */
  page(
    { _id }: Pick<DatasetDocument, '_id'>,
    filter: FileFilter | null | undefined,
    page: { readonly first: number; readonly after: string | null | undefined },
  ): Promise<KeysetPage<DatasetFileDocument>> {
    for (const [field, values] of Object.entries(filter ?? {}) as [string, unknown][])
      if (Array.isArray(values) && values.length > maxNamed)
        throw badInput(`filter.${field}`, values.length, `at most ${maxNamed} values`);
    return this.#options.files.page(_id, filter ?? {}, page);
  }
}

function partsOf(files: readonly NewFile[]): readonly (readonly NewFile[])[] {
  const count = Math.ceil(files.length / filesAtOnce);
  return Array.from({ length: count }, (_, at) => files.slice(at * filesAtOnce, (at + 1) * filesAtOnce));
}

/** Adds an error for each file that has the name of a different one. */
function reportConflicts(
  errors: InputErrors<AppendFilesCode>,
  files: readonly NewFile[],
  there: readonly DatasetFileDocument[],
  first: number,
): void {
  const known = new Map(there.map((file) => [file.name, file]));
  files.forEach((file, at) => {
    const other = known.get(file.name);
    if (!other || isSameFile(other, file)) return;
    const text = `files.${first + at}: the dataset has a file "${file.name}" with another size, digest, number of events or key; must be the same, or have another name`;
    errors.report('FILE_CONFLICT', ['files', first + at], text);
  });
}
