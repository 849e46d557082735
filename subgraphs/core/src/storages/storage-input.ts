/** Pure checks of inputs about storages, and the settings that they result in. */
import type { InputErrors } from '@rhizome/errors';
import { assertKey, type StorageKind } from '@rhizome/storage';
import { problemOf } from './places.js';
import type { StorageDocument, StorageSettings } from './storage.document.js';

type Given<T> = { readonly [K in keyof T]?: T[K] | null | undefined };

/** Settings as given: an absent one is not changed, null removes it. */
export type StorageSettingsInput = Given<StorageSettings>;

/** Storage to create. */
export interface CreateStorage extends StorageSettingsInput {
  readonly name: string;
  readonly provider: StorageKind;
  readonly address: string;
  readonly isDryRun?: boolean | null | undefined;
}

/** Changes of a storage. */
export interface SetStorage extends StorageSettingsInput {
  readonly name: string;
  readonly expectedRevision?: number | null | undefined;
  readonly isForced?: boolean | null | undefined;
  readonly isDryRun?: boolean | null | undefined;
}

/** Storage to remove. */
export interface RemoveStorage {
  readonly name: string;
  readonly isDryRun?: boolean | null | undefined;
}

/** Pattern of names of storages. */
const storageName = /^[a-z][a-z0-9-]{0,30}$/;
const nameForm = '1 to 31 lower-case letters, digits and "-", beginning with a letter';
const credentialForm = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
const bucketForm = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const mostNames = 1000;
const largestFileMiB = 1_073_741_824;

const protocols: Readonly<Record<StorageKind, readonly string[]>> = {
  FOLDER: ['https:', 'http:'],
  S3: ['https:', 'http:'],
  WEBDAV: ['https:', 'http:'],
  XROOTD: ['root:', 'xroot:', 'roots:', 'xroots:'],
};

/** Settings that only storages of some providers have. */
const providersOf: Readonly<Partial<Record<keyof StorageSettings, readonly StorageKind[]>>> = {
  bucket: ['S3'],
  region: ['S3'],
  prefix: ['S3'],
  webAddress: ['XROOTD'],
  trustedOrigins: ['WEBDAV', 'XROOTD'],
};

/** Settings after a change of the given ones. */
export function mergeSettings(
  current: StorageSettings | undefined,
  input: StorageSettingsInput,
): StorageSettings {
  const value = <K extends keyof StorageSettings>(name: K): StorageSettings[K] | undefined =>
    (input[name] === undefined ? current?.[name] : input[name]) ?? undefined;
  const optional = ['bucket', 'region', 'prefix', 'webAddress', 'trustedOrigins'] as const;
  const limits = ['credential', 'site', 'maxFileMiB'] as const;
  const given = [...optional, ...limits].flatMap((name) => {
    const found = value(name);
    return found === undefined || found === '' ? [] : [[name, found] as const];
  });
  return {
    address: value('address') ?? '',
    ...Object.fromEntries(given),
    experiments: [...(value('experiments') ?? [])].sort(),
    queues: [...(value('queues') ?? [])].sort(),
    isDefault: value('isDefault') ?? false,
    sharedPrefixes: [...(value('sharedPrefixes') ?? [])].sort(),
  };
}

/**
 * Paths of the changes after which files of live jobs may be elsewhere, or may no longer be used:
 * `experiments` is the last one.
 */
export function movesFiles(current: StorageSettings, next: StorageSettings): readonly string[] {
  const places = (['address', 'bucket', 'prefix'] as const).filter((name) => current[name] !== next[name]);
  const isNarrowed =
    next.experiments.length > 0 &&
    (current.experiments.length === 0 ||
      current.experiments.some((name) => !next.experiments.includes(name)));
  return isNarrowed ? [...places, 'experiments'] : places;
}

/** The settings of a storage, without the rest of the document. */
export function settingsOf(storage: StorageDocument): StorageSettings {
  return mergeSettings(storage, {});
}

/** Checks the name of a storage. */
export function checkName(errors: InputErrors<string>, name: string): void {
  errors.form(['name'], name, storageName, nameForm);
}

/** Checks settings, each by its value alone. */
export function checkSettings(
  errors: InputErrors<string>,
  provider: StorageKind,
  settings: StorageSettings,
): void {
  checkUrl(errors, ['address'], settings.address, protocols[provider]);
  for (const [name, providers] of Object.entries(providersOf))
    if (name in settings && !providers.includes(provider))
      errors.add([name], settings[name as keyof StorageSettings], `absent for a storage of ${provider}`);
  if (provider === 'S3' && settings.bucket === undefined)
    errors.add(['bucket'], null, 'the name of a bucket for a storage of S3');
  const { bucket, region, prefix, webAddress, trustedOrigins = [], credential, site, maxFileMiB } = settings;
  if (bucket !== undefined) errors.form(['bucket'], bucket, bucketForm, 'the name of a bucket');
  if (region !== undefined) errors.text(['region'], region, 1, 63);
  if (prefix !== undefined) checkKey(errors, ['prefix'], prefix);
  if (webAddress !== undefined) checkUrl(errors, ['webAddress'], webAddress, ['https:', 'http:']);
  errors.list(['trustedOrigins'], trustedOrigins, 20);
  trustedOrigins.forEach((origin, at) => {
    if (URL.canParse(origin) && new URL(origin).origin === origin) return;
    errors.add(['trustedOrigins', at], origin, 'an origin such as https://host:1094');
  });
  if (credential !== undefined)
    errors.form(
      ['credential'],
      credential,
      credentialForm,
      'the name of a credential: 1 to 63 letters, digits, ".", "_" or "-", beginning with a letter or digit',
    );
  if (site !== undefined) errors.text(['siteName'], site, 1, 255);
  errors.int(['maxFileMiB'], maxFileMiB, 1, largestFileMiB);
  errors.distinct(['experiments'], settings.experiments, mostNames);
  errors.distinct(['queueNames'], settings.queues, mostNames);
  errors.distinct(['sharedPrefixes'], settings.sharedPrefixes, 20);
  settings.sharedPrefixes.forEach((given, at) => {
    if (!given.endsWith('/')) errors.add(['sharedPrefixes', at], given, 'a key that ends with "/"');
    else checkKey(errors, ['sharedPrefixes', at], given.slice(0, -1));
  });
}

function checkKey(errors: InputErrors<string>, path: readonly (string | number)[], key: string): void {
  const problem = problemOf(() => assertKey(key));
  if (problem !== undefined) errors.add(path, key, `a relative path: ${problem}`);
}

/** Credentials belong to the files that the storage's credential names, not into addresses. */
function checkUrl(
  errors: InputErrors<string>,
  path: readonly string[],
  text: string,
  allowed: readonly string[],
): void {
  const schemes = allowed.map((protocol) => `${protocol}//`).join(' or ');
  const url = text.length <= 1024 && URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !allowed.includes(url.protocol) || url.hostname === '')
    errors.add(path, text.slice(0, 200), `a URL of at most 1024 characters that begins with ${schemes}`);
  else if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
    errors.add(path, `${url.protocol}//${url.host}/…`, 'a URL without user, password, query and fragment');
}
