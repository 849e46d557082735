/** Command lines of BPS jobs: placeholders, values and files. */
import { FetchedFiles } from '../fetched-files.js';
import type { Refusals } from '../refusals.js';
import { commandLine, isVariableName } from '../shell.js';
import type { Located } from '../text/located.js';
import type { Payload } from '../workflow.types.js';

/** Files of the workflow, by name. */
export type BpsFiles = ReadonlyMap<string, Located>;

/** Program of a job; undefined if it is refused. */
export function bpsPayload(job: Located, files: BpsFiles, refusals: Refusals): Payload | undefined {
  const executable = job.member('executable');
  const program = executable?.member('src_uri') ?? executable?.member('name');
  if (program?.text === undefined) {
    refusals.refuse(job.place('executable'), 'is missing', 'a job must have a program');
    return undefined;
  }
  const inputs = new FetchedFiles(job, refusals);
  const command = new BpsCommand(job, files, inputs, refusals);
  if (isAddress(program.text))
    refusals.refuse(
      program,
      'is a program with an address, and files that workers fetch are not executable',
      'give its path on the workers, or let a shell there run it as <FILE:…>',
    );
  const path = command.text(program);
  const given = job.member('arguments');
  const line = `${path ?? ''} ${(given && command.text(given)) ?? ''}`.trim();
  const variables = command.environment();
  const [before, after] = [job.member('pre_cmdline'), job.member('post_cmdline')].map(
    (at) => at && command.text(at),
  );
  const lines = [
    ...variables.exported,
    ...(before === undefined ? [] : [before]),
    ...(after === undefined ? [line] : [line, 'code=$?', after, 'exit $code']),
  ];
  const fetchedInputs = inputs.list();
  return {
    ...commandLine(lines.join('\n'), '/bin/sh'),
    ...(variables.plain.length > 0 ? { environment: variables.plain } : {}),
    ...(fetchedInputs.length > 0 ? { inputs: fetchedInputs } : {}),
  };
}

/** Path at which a job finds a file that a worker fetches; undefined for another file. */
function fetched(location: string, inputs: FetchedFiles): string | undefined {
  if (!isAddress(location)) return undefined;
  const name = location.replace(/[?#].*$/, '').replace(/^.*\//, '');
  if (name === '') return undefined;
  inputs.add(name, location);
  return name;
}

/** True for the address of a file that a worker can fetch. */
function isAddress(location: string): boolean {
  return /^https?:\/\//.test(location);
}

interface Variables {
  readonly plain: { readonly name: string; readonly value: string }[];
  /** Lines of the shell for values that name variables of the worker. */
  readonly exported: string[];
}

class BpsCommand {
  readonly #job: Located;
  readonly #files: BpsFiles;
  readonly #inputs: FetchedFiles;
  readonly #values: Located | undefined;
  readonly #refusals: Refusals;

  constructor(job: Located, files: BpsFiles, inputs: FetchedFiles, refusals: Refusals) {
    this.#job = job;
    this.#files = files;
    this.#inputs = inputs;
    this.#values = job.member('cmdvals');
    this.#refusals = refusals;
  }

  /**
   * A text without placeholders: `<FILE:…>`, `<ENV:…>`, `<WMS:…>`, and `{…}` as Python's format has them.
   * @param isQuoted true for a text between double quotes, in which a shell replaces the placeholders alone
   */
  text(at: Located, isQuoted = false): string | undefined {
    const { text } = at;
    if (text === undefined) {
      this.#refusals.invalid(at, 'a text');
      return undefined;
    }
    const filled = text.replace(/\{\{|\}\}|\$\{\w+\}|\{([^{}]*)\}/g, (all, key: string | undefined) => {
      if (key === undefined) return all === '{{' || all === '}}' ? all.charAt(0) : all;
      const value = this.#values?.member(key);
      if (!value) this.#refusals.refuse(at, `${all} has no value in cmdvals`);
      return value ? String(value.value) : all;
    });
    const literal = (part: string): string => (isQuoted ? part.replace(/["\\`$]/g, String.raw`\$&`) : part);
    return filled.replace(/<(FILE|ENV|WMS):([^>]+)>|["\\`$]/g, (all, kind?: string, name = '') => {
      if (kind === undefined) return literal(all);
      if (kind === 'ENV') return `\${${name}}`;
      if (kind === 'FILE') return literal(this.#file(at, name));
      if (name === 'attemptNum') return '${RHIZOME_ATTEMPT}';
      this.#refusals.refuse(at, `${all} is not known`, 'only <WMS:attemptNum> is');
      return all;
    });
  }

  environment(): Variables {
    const variables: Variables = { plain: [], exported: [] };
    for (const at of this.#job.member('environment')?.members() ?? []) {
      const text = at.text ?? String(at.value);
      const isExported = /<(ENV|WMS):/.test(text);
      const value = this.text(at.with(text), isExported) ?? '';
      if (!isVariableName(at.name, at, this.#refusals)) continue;
      if (isExported) variables.exported.push(`export ${at.name}="${value}"`);
      else variables.plain.push({ name: at.name, value });
    }
    return variables;
  }

  #file(at: Located, name: string): string {
    const file = this.#files.get(name);
    const path = file?.member('src_uri')?.text;
    if (!file || path === undefined) {
      this.#refusals.refuse(at, `the file ${JSON.stringify(name)} is not known`, 'add it to graph.files');
      return name;
    }
    const own = file.member('wms_transfer')?.value === true ? fetched(path, this.#inputs) : undefined;
    if (own === undefined && file.member('wms_transfer')?.value === true)
      this.#refusals.note(file, 'is not transferred; workers must have it at the same path');
    return own ?? path.replace(/^file:\/\//, '');
  }
}
