/** `rhizome gpus`: the GPUs of all sites. */
import type { Command } from 'commander';
import { type Session, type World, withSession } from '../command.js';
import { type ExitCode, exitCodes } from '../exit-codes.js';
import { collect, collectOneOf, type Finish, wholeNumber } from '../flags/flags.js';
import { CliHardwareDocument, type CliHardwareQuery, type GpuVendor } from '../operations.generated.js';
import { ago, printLine, printJson, printTable } from '../output.js';

interface GpuFlags {
  readonly site: readonly string[];
  readonly queue: readonly string[];
  readonly vendor: readonly GpuVendor[];
  readonly model: readonly string[];
  readonly seen?: number;
}

type Row = CliHardwareQuery['hardwareMap']['sites'][number]['gpus'][number];

const vendors = ['NVIDIA', 'AMD', 'INTEL'] as const satisfies readonly GpuVendor[];
const dayMs = 24 * 3600 * 1000;

/** Adds the command. */
export function addGpus(program: Command, world: World, finish: Finish): void {
  const command = program
    .command('gpus')
    .description('list GPUs of all sites by model, driver branch and runtime, as reported by workers')
    .option('--site <name>', 'only this site; may be repeated', collect, [])
    .option('-q, --queue <name>', 'only this queue; may be repeated', collect, [])
    .option('--vendor <vendor>', 'NVIDIA, AMD or INTEL; may be repeated', collectOneOf(vendors), [])
    .option(
      '--model <name>',
      'model by any name in the catalogue, such as A100; may be repeated',
      collect,
      [],
    )
    .option(
      '--seen <days>',
      'include devices that are gone but were seen in the last N days',
      wholeNumber(1, 30),
    );
  command.action((flags: GpuFlags) => finish(withSession(command, world, (session) => gpus(session, flags))));
}

async function gpus({ client, output, now }: Session, flags: GpuFlags): Promise<ExitCode> {
  const { site, queue, vendor, model, seen } = flags;
  const given = <T extends string>(words: readonly T[]) => (words.length > 0 ? [...words] : null);
  const filter = { sites: given(site), queues: given(queue), vendors: given(vendor), models: given(model) };
  // One minute less, because the store's clock may be behind this one.
  const seenSince = seen === undefined ? null : new Date(now() - seen * dayMs + 60_000).toISOString();
  const { hardwareMap } = await client.query(CliHardwareDocument, { filter, seenSince });
  if (output.json) {
    printJson(output, hardwareMap);
    return exitCodes.ok;
  }
  const rows = hardwareMap.sites.flatMap(({ site: { name }, gpus: found }) =>
    found.map((row) => rowOf(name, row, now())),
  );
  printTable(output, head, rows);
  if (rows.length === 0) printLine(output, 'No GPUs found on workers that you may see.');
  return exitCodes.ok;
}

const head = [
  'SITE',
  'MODEL',
  'PART',
  'GIB',
  'DRIVER',
  'RUNTIME',
  'HOSTS',
  'DEVICES',
  'FREE',
  'BAD',
  'UNKNOWN',
  'SEEN',
];

function rowOf(site: string, row: Row, now: number): readonly string[] {
  const runtime = row.cudaVersion
    ? `CUDA ${row.cudaVersion}`
    : row.rocmVersion
      ? `ROCm ${row.rocmVersion}`
      : '?';
  return [
    site,
    row.model,
    row.migProfile ?? row.partition ?? '',
    row.memoryMiB === null ? '?' : (row.memoryMiB / 1024).toFixed(0),
    row.driverBranch ?? '?',
    runtime,
    String(row.hosts),
    String(row.devices),
    String(row.free),
    String(row.unhealthy),
    String(row.unknown),
    ago(row.lastSeenAt, now),
  ];
}
