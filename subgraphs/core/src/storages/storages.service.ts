/** Rules of storages: visibility and changes. */
import { can, experimentsFor, type Principal } from '@rhizome/authz';
import type { Clock } from '@rhizome/clock';
import { canonicalJson } from '@rhizome/digest';
import { type InputError, InputErrors } from '@rhizome/errors';
import {
  checkName,
  checkSettings,
  type CreateStorage,
  mergeSettings,
  movesFiles,
  type RemoveStorage,
  type SetStorage,
  settingsOf,
} from './storage-input.js';
import { type StorageDocument, storageSchemaVersion, type StorageSettings } from './storage.document.js';
import type { StoragesRepository } from './storages.repository.js';

/** Dependencies of {@link StoragesService}. */
export interface StoragesOptions {
  readonly repository: StoragesRepository;
  /** Filters the names by those that are not experiments. */
  readonly missingExperiments: (names: readonly string[]) => Promise<ReadonlySet<string>>;
  /** Filters the names by those that are not queues. */
  readonly missingQueues: (names: readonly string[]) => Promise<ReadonlySet<string>>;
  /**
   * Id of a live job that needs a storage; null if none does, undefined if that is not known in time. Jobs of
   * the kept experiments are left out.
   */
  readonly liveJobOf: (
    storage: StorageDocument,
    kept: readonly string[],
  ) => Promise<string | null | undefined>;
  readonly clock: Clock;
}

/** The storage, or the errors because of which the call was refused. */
export interface StorageResult<C extends string> {
  readonly storage: StorageDocument | null;
  readonly userErrors: readonly InputError<C>[];
}

type NameCode = 'EXPERIMENT_NOT_FOUND' | 'QUEUE_NOT_FOUND';
type CreateCode = NameCode | 'STORAGE_NAME_TAKEN' | 'REVISION_CONFLICT';
type ChangeCode = 'STORAGE_NOT_FOUND' | 'REVISION_CONFLICT';

/** Number of attempts after which a change gives up because of concurrent changes of the same storage. */
const maxTries = 10;
/** Most storages: they are read as a whole. */
const mostStorages = 1000;

/** Reads and changes storages. */
export class StoragesService {
  readonly #options: StoragesOptions;

  constructor(options: StoragesOptions) {
    this.#options = options;
  }

  /** All storages in memory, by name. */
  all(): readonly StorageDocument[] {
    return this.#options.repository.directory.all().filter(isThere);
  }

  /** All storages as stored now, by name. */
  async allFresh(): Promise<readonly StorageDocument[]> {
    return (await this.#options.repository.directory.fresh()).filter(isThere);
  }

  /** Storages as stored now that a principal may see, by name. */
  async visibleTo(principal: Principal): Promise<readonly StorageDocument[]> {
    return (await this.allFresh()).filter((storage) => isVisible(storage, principal));
  }

  /** Storage as stored now; null if there is none or the principal may not see it. */
  async visible(name: string, principal: Principal): Promise<StorageDocument | null> {
    const storage = await this.#read(name);
    return storage && isThere(storage) && isVisible(storage, principal) ? storage : null;
  }

  /** Creates a storage. A repeated call with the same settings returns the storage. */
  async create(input: CreateStorage, { subject }: Principal): Promise<StorageResult<CreateCode>> {
    const { repository, clock } = this.#options;
    const errors = new InputErrors<CreateCode>();
    const { name, provider } = input;
    const settings = mergeSettings(undefined, input);
    checkName(errors, name);
    checkSettings(errors, provider, settings);
    if (errors.isEmpty) await this.#checkNames(errors, settings);
    if (errors.isEmpty && (await this.allFresh()).length >= mostStorages)
      errors.add(['name'], name, `one of at most ${mostStorages} storages; remove one first`);
    for (let tries = 0; errors.isEmpty && tries < maxTries; tries++) {
      const earlier = await this.#read(name);
      if (earlier && isThere(earlier)) {
        const isSame =
          earlier.provider === provider && canonicalJson(settingsOf(earlier)) === canonicalJson(settings);
        if (isSame) return { storage: earlier, userErrors: [] };
        const message = `name: storage "${name}" already exists with other settings; change it, or use another name`;
        errors.report('STORAGE_NAME_TAKEN', ['name'], message);
        break;
      }
      const now = clock.now();
      const storage = {
        _id: name,
        schemaVersion: storageSchemaVersion,
        revision: (earlier?.revision ?? 0) + 1,
        createdAt: now,
        updatedAt: now,
        provider,
        ...settings,
        createdBy: subject,
      };
      if (input.isDryRun === true) return { storage: null, userErrors: [] };
      const isWritten = await (earlier ? repository.replace(storage) : repository.insert(storage));
      if (isWritten) return { storage, userErrors: [] };
    }
    return refused(errors, name);
  }

  /** Changes a storage. Jobs that run get addresses by the new settings. */
  async set(input: SetStorage): Promise<StorageResult<ChangeCode | NameCode | 'STORAGE_IN_USE'>> {
    const { expectedRevision, isDryRun, isForced } = input;
    return this.#change<NameCode | 'STORAGE_IN_USE'>(
      input.name,
      isDryRun === true,
      async (current, errors) => {
        if (typeof expectedRevision === 'number' && expectedRevision !== current.revision) {
          const message = `expectedRevision: ${expectedRevision} is outdated; the storage has revision ${current.revision}`;
          errors.report('REVISION_CONFLICT', ['expectedRevision'], message);
          return current;
        }
        const settings = mergeSettings(current, input);
        if (canonicalJson(settings) === canonicalJson(settingsOf(current))) return current;
        checkSettings(errors, current.provider, settings);
        if (errors.isEmpty) await this.#checkNames(errors, settings);
        const [moved] = isForced === true ? [] : movesFiles(current, settings);
        if (errors.isEmpty && moved !== undefined) {
          // A storage that only loses experiments goes on to serve the others.
          const reason = await this.#useOf(current, moved === 'experiments' ? settings.experiments : []);
          const text = `${moved}: storage "${input.name}" is in use: ${reason}; isForced changes it nevertheless`;
          if (reason !== undefined) errors.report('STORAGE_IN_USE', [moved], text);
        }
        return { ...headOf(current), ...settings };
      },
    );
  }

  /** Removes a storage that no live job needs. Its files stay where they are. */
  async remove({ name, isDryRun }: RemoveStorage): Promise<StorageResult<ChangeCode | 'STORAGE_IN_USE'>> {
    return this.#change<'STORAGE_IN_USE'>(name, isDryRun === true, async (current, errors) => {
      const reason = await this.#useOf(current);
      if (reason === undefined) return { ...current, removedAt: this.#options.clock.now() };
      errors.report('STORAGE_IN_USE', ['name'], `name: storage "${name}" cannot be removed: ${reason}`);
      return current;
    });
  }

  /** The reason why a storage is in use; undefined if no live job needs it, those of kept ones left out. */
  async #useOf(storage: StorageDocument, kept: readonly string[] = []): Promise<string | undefined> {
    const user = await this.#options.liveJobOf(storage, kept);
    if (user === null) return undefined;
    if (user !== undefined) return `job ${user} needs it; wait for its end, or cancel it`;
    return 'there are too many live jobs to search in 30 s; set isDefault to false, and try again later';
  }

  async #read(name: string): Promise<StorageDocument | null> {
    return (await this.#options.repository.directory.findFresh([name]))[0] ?? null;
  }

  async #change<C extends string>(
    name: string,
    isDryRun: boolean,
    decide: (current: StorageDocument, errors: InputErrors<C | ChangeCode>) => Promise<StorageDocument>,
  ): Promise<StorageResult<C | ChangeCode>> {
    const { repository, clock } = this.#options;
    for (let tries = 0; tries < maxTries; tries++) {
      const errors = new InputErrors<C | ChangeCode>();
      const current = await this.#read(name);
      if (!current || !isThere(current)) {
        errors.report('STORAGE_NOT_FOUND', ['name'], `Storage ${JSON.stringify(name)} not found.`);
        return refused(errors, name);
      }
      const next = await decide(current, errors);
      if (!errors.isEmpty) return refused(errors, name);
      if (next === current || isDryRun) return { storage: next, userErrors: [] };
      const written = { ...next, revision: current.revision + 1, updatedAt: clock.now() };
      if (await repository.replace(written)) return { storage: written, userErrors: [] };
    }
    return refused(new InputErrors<C | ChangeCode>(), name);
  }

  async #checkNames(
    errors: InputErrors<string>,
    { experiments, queues, sharedPrefixes }: StorageSettings,
  ): Promise<void> {
    const { missingExperiments, missingQueues } = this.#options;
    const unknown = await missingExperiments(experiments);
    experiments.forEach((name, at) => {
      if (!unknown.has(name)) return;
      const message = `experiments.${at}: "${name}" is not registered; register it first`;
      errors.report('EXPERIMENT_NOT_FOUND', ['experiments', at], message);
    });
    const missing = await missingQueues(queues);
    queues.forEach((name, at) => {
      if (!missing.has(name)) return;
      errors.report('QUEUE_NOT_FOUND', ['queueNames', at], `queueNames.${at}: queue "${name}" not found`);
    });
    // Below the name of an experiment are the files of its members.
    const tops = sharedPrefixes.map((prefix) => prefix.slice(0, prefix.indexOf('/')));
    const free = await missingExperiments(tops);
    tops.forEach((top, at) => {
      const prefix = sharedPrefixes[at] ?? '';
      if (!free.has(top) && !prefix.startsWith(`${top}/shared/`))
        errors.add(
          ['sharedPrefixes', at],
          prefix,
          `outside of "${top}/", the files of an experiment's members`,
        );
    });
  }
}

const isThere = ({ removedAt }: StorageDocument): boolean => removedAt === undefined;

/** True if the storage is used by all experiments, or by one of the principal's. */
function isVisible({ experiments }: StorageDocument, principal: Principal): boolean {
  const visible = experimentsFor(principal, 'storage:read');
  if (visible === '*') return true;
  if (experiments.length === 0) return visible.length > 0;
  return experiments.some((name) => visible.includes(name));
}

/** True if the principal may see the name of the credential. */
export function maySeeCredential(principal: Principal): boolean {
  return can(principal, 'storage:manage', '*');
}

/** Members that do not change with the settings. */
function headOf({
  _id,
  schemaVersion,
  revision,
  createdAt,
  updatedAt,
  provider,
  createdBy,
}: StorageDocument) {
  return { _id, schemaVersion, revision, createdAt, updatedAt, provider, createdBy };
}

function refused<C extends string>(
  errors: InputErrors<C | 'REVISION_CONFLICT'>,
  name: string,
): StorageResult<C | 'REVISION_CONFLICT'> {
  if (errors.isEmpty)
    errors.report(
      'REVISION_CONFLICT',
      ['name'],
      `name: storage "${name}" is being changed by other calls; try again`,
    );
  return { storage: null, userErrors: errors.all };
}
