/** `rhizome uploads`: the uploads of the caller, and their removal. */
import type { Command } from 'commander';
import { type Session, type World, printChange, withSession } from '../../command.js';
import { type ExitCode, exitCodes } from '../../exit-codes.js';
import type { Finish } from '../../flags/flags.js';
import {
  CliRemoveUploadDocument,
  CliUploadsDocument,
  type CliUploadsQuery,
} from '../../operations.generated.js';
import { ago, bytes, printJson, printTable } from '../../output.js';

type Upload = CliUploadsQuery['uploads']['nodes'][number];

/** Adds the commands. */
export function addUploads(program: Command, world: World, finish: Finish): void {
  const uploads = program.command('uploads').description('uploads of folders for jobs');
  const list = uploads.command('list').description('list your uploads, the newest first');
  list.action(() => finish(withSession(list, world, listUploads)));
  const remove = uploads
    .command('remove')
    .description('remove an upload that no live job uses')
    .argument('<upload>', 'id of the upload');
  remove.action((id: string) => finish(withSession(remove, world, (session) => removeUpload(session, id))));
}

async function listUploads({ client, output, now }: Session): Promise<ExitCode> {
  const all: Upload[] = [];
  for (let after: string | null = null; ;) {
    const { uploads }: CliUploadsQuery = await client.query(CliUploadsDocument, { after });
    all.push(...uploads.nodes);
    if (!uploads.pageInfo.hasNextPage) break;
    after = uploads.pageInfo.endCursor ?? null;
  }
  if (output.json) printJson(output, all);
  else
    printTable(
      output,
      ['ID', 'NAME', 'EXPERIMENT', 'STATE', 'FILES', 'SIZE', 'USED', 'UNTIL'],
      all.map(({ id, name, experiment, state, fileCount, sizeBytes, lastUsedAt, expiresAt }) => [
        ...[id, name, experiment?.name ?? '', state, String(fileCount), bytes(sizeBytes)],
        ...[ago(lastUsedAt, now()), expiresAt.slice(0, 10)],
      ]),
    );
  return exitCodes.ok;
}

async function removeUpload({ client, output }: Session, id: string): Promise<ExitCode> {
  const { removeUpload: answer } = await client.mutate(
    CliRemoveUploadDocument,
    { input: { id } },
    { idempotent: true },
  );
  return printChange(output, answer.upload, answer.userErrors, (upload) => `${upload.id} removed`);
}
