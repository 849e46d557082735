/** `rhizome storage`: named places for files. */
import type { Command } from 'commander';
import {
  type MutationError,
  printChange,
  printChecked,
  type Session,
  type World,
  withSession,
} from '../../command.js';
import { type ExitCode, exitCodes } from '../../exit-codes.js';
import {
  collect,
  collectOneOf,
  type DryRunFlags,
  type Finish,
  oneOf,
  pagesUpTo,
  wholeNumber,
  withDryRun,
} from '../../flags/flags.js';
import {
  CliCreateStorageDocument,
  CliRemoveStorageDocument,
  CliSetStorageDocument,
  type CliStorageFragment,
  CliStoragesDocument,
  type StorageProvider,
} from '../../operations.generated.js';
import { printJson, printTable } from '../../output.js';

const providers: readonly StorageProvider[] = ['FOLDER', 'S3', 'WEBDAV', 'XROOTD'];
/** Flags of settings that `storage set` removes. */
const removable = {
  BUCKET: 'bucket',
  REGION: 'region',
  PREFIX: 'prefix',
  'WEB-ADDRESS': 'webAddress',
  'TRUSTED-ORIGIN': 'trustedOrigins',
  CREDENTIAL: 'credential',
  EXPERIMENT: 'experiments',
  QUEUE: 'queueNames',
  SITE: 'siteName',
  SHARED: 'sharedPrefixes',
  'MAX-FILE': 'maxFileMiB',
} as const;
type Removable = keyof typeof removable;
const maxListed = 1000;
const largestMiB = 1_073_741_824;
const idempotent = { idempotent: true } as const;

interface SettingsFlags extends DryRunFlags {
  readonly address?: string;
  readonly bucket?: string;
  readonly region?: string;
  readonly prefix?: string;
  readonly webAddress?: string;
  readonly trustedOrigin: readonly string[];
  readonly credential?: string;
  readonly experiment: readonly string[];
  readonly queue: readonly string[];
  readonly site?: string;
  readonly default?: boolean;
  readonly shared: readonly string[];
  readonly maxFile?: number;
}

interface CreateFlags extends SettingsFlags {
  readonly provider: StorageProvider;
  readonly address: string;
}

interface SetFlags extends SettingsFlags {
  readonly unset: readonly Removable[];
  readonly force?: boolean;
}

/** Adds the commands. */
export function addStorage(program: Command, world: World, finish: Finish): void {
  const group = program.command('storage').description('list, create, change and remove storages of files');
  const listing = group.command('list').description('list the storages of your experiments');
  listing.action(() => finish(withSession(listing, world, list)));
  const creating = withSettings(named(withDryRun(group.command('create'))))
    .description('create a storage')
    .requiredOption('--provider <kind>', `protocol: ${providers.join(', ')}`, oneOf(providers))
    .requiredOption('--address <url>', 'URL of the file service, the server, the collection or the folder')
    .option('--default', 'store the outputs of the jobs of its experiments in it');
  creating.action((name: string, flags: CreateFlags) =>
    finish(withSession(creating, world, (session) => create(session, name, flags))),
  );
  const setting = withSettings(named(withDryRun(group.command('set'))))
    .description('change a storage; what is not given stays as it is')
    .option('--address <url>', 'new URL')
    .option('--default', 'store the outputs of the jobs of its experiments in it')
    .option('--no-default', 'store outputs elsewhere from now on')
    .option('--force', 'change where files are searched, or who uses them, though live jobs need the storage')
    .option(
      '--unset <setting>',
      'remove a setting, such as CREDENTIAL; may be repeated',
      collectOneOf(Object.keys(removable) as Removable[]),
      [],
    );
  setting.action((name: string, flags: SetFlags) =>
    finish(withSession(setting, world, (session) => set(session, name, flags))),
  );
  const removing = named(withDryRun(group.command('remove'))).description(
    'remove a storage that no live job needs; its files stay',
  );
  removing.action((name: string, flags: DryRunFlags) =>
    finish(withSession(removing, world, (session) => remove(session, name, flags))),
  );
}

function named(command: Command): Command {
  return command.argument('<name>', 'name of the storage');
}

function withSettings(command: Command): Command {
  return command
    .option('--bucket <name>', 'bucket of an S3 server')
    .option('--region <name>', 'region of an S3 server')
    .option('--prefix <key>', 'beginning of all keys in the bucket')
    .option('--web-address <url>', 'URL of a folder of XRootD by WebDAV')
    .option('--trusted-origin <url>', 'origin of a data server of WebDAV; may be repeated', collect, [])
    .option('--credential <name>', 'name of the credential that core has')
    .option('-e, --experiment <name>', 'experiment that uses it (default: all); may be repeated', collect, [])
    .option(
      '-q, --queue <name>',
      'queue whose jobs store outputs in it (default: all); may be repeated',
      collect,
      [],
    )
    .option('--site <name>', 'site that is near to it')
    .option('--shared <prefix>', 'beginning of keys that all members may read; may be repeated', collect, [])
    .option('--max-file <mib>', 'largest output, in MiB', wholeNumber(1, largestMiB));
}

/** Settings that were given. */
function settingsOf(flags: SettingsFlags) {
  const some = <T>(list: readonly T[]): T[] | undefined => (list.length > 0 ? [...list] : undefined);
  const { address, bucket, region, prefix, webAddress, credential, site, maxFile } = flags;
  return {
    ...{ address, bucket, region, prefix, webAddress, credential },
    siteName: site,
    maxFileMiB: maxFile,
    isDefault: flags.default,
    trustedOrigins: some(flags.trustedOrigin),
    experiments: some(flags.experiment),
    queueNames: some(flags.queue),
    sharedPrefixes: some(flags.shared),
  };
}

async function list({ client, output }: Session): Promise<ExitCode> {
  const found = await pagesUpTo(
    maxListed,
    async (first, after) => (await client.query(CliStoragesDocument, { first, after })).storages,
  );
  if (output.json) printJson(output, found);
  else
    printTable(
      output,
      ['NAME', 'PROVIDER', 'ADDRESS', 'EXPERIMENTS', 'QUEUES', 'DEFAULT', 'SITE'],
      found.map(({ name, provider, address, experiments, queueNames, isDefault, site }) => [
        ...[name, provider, address, experiments.map((one) => one.name).join(', ') || 'all'],
        ...[queueNames.join(', ') || 'all', isDefault ? 'yes' : 'no', site?.name ?? ''],
      ]),
    );
  return exitCodes.ok;
}

async function create(
  session: Session,
  name: string,
  { provider, ...flags }: CreateFlags,
): Promise<ExitCode> {
  const { dryRun: isDryRun = false } = flags;
  const settings = { ...settingsOf(flags), address: flags.address };
  const input = { name, provider, ...settings, isDryRun };
  const { createStorage } = await session.client.mutate(CliCreateStorageDocument, { input }, idempotent);
  return printed(session, createStorage, isDryRun, `${name} would be created`);
}

async function set(session: Session, name: string, { unset, ...flags }: SetFlags): Promise<ExitCode> {
  const { dryRun: isDryRun = false } = flags;
  const removed = Object.fromEntries(unset.map((flag) => [removable[flag], null]));
  const input = { name, ...settingsOf(flags), ...removed, isForced: flags.force === true, isDryRun };
  const { setStorage } = await session.client.mutate(CliSetStorageDocument, { input }, { idempotent: false });
  return printed(session, setStorage, isDryRun, `${name} would be changed`);
}

async function remove(session: Session, name: string, { dryRun = false }: DryRunFlags): Promise<ExitCode> {
  const input = { name, isDryRun: dryRun };
  const { removeStorage } = await session.client.mutate(
    CliRemoveStorageDocument,
    { input },
    { idempotent: false },
  );
  return printed(session, removeStorage, dryRun, `${name} would be removed`, `${name}  removed`);
}

interface Answer {
  readonly storage: CliStorageFragment | null;
  readonly userErrors: readonly MutationError[];
}

function printed(
  { output }: Session,
  { storage, userErrors }: Answer,
  isDryRun: boolean,
  checked: string,
  done?: string,
): ExitCode {
  if (isDryRun) return printChecked(output, userErrors, checked);
  return printChange(
    output,
    storage,
    userErrors,
    ({ name, revision }) => done ?? `${name}  revision ${revision}`,
  );
}
