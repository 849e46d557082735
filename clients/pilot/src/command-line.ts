/** The command line: each setting is an option. */
import { environmentName } from '@rhizome/config';
import { DomainError, isDomainError } from '@rhizome/errors';
import { Command } from 'commander';
import { settingsSchema, variablePrefix } from './settings.js';
import { pilotVersion } from './version.js';

/** Texts of the options that were given, by their settings. */
export type Options = Readonly<Record<string, string | readonly string[]>>;

/** Reads the command line. Prints the help or the version, and exits, if that is asked for. */
export function readOptions(argv: readonly string[]): Options {
  const command = new Command('rhizome-pilot')
    .description(
      [
        'Runs jobs of a queue on this host. Each option can also be set as a variable RHIZOME_PILOT_….',
        'With "launch" before the options, the pilot is started again if it dies. "handover" replaces a running',
        'pilot with the same options under its payloads. "enrol" enrols this host.',
      ].join(' '),
    )
    .version(pilotVersion);
  for (const [key, { description }] of Object.entries(settingsSchema.shape)) {
    const flag = `--${flagOf(key)} <value>`;
    if (repeatable.has(key))
      command.option(flag, description ?? '', (value, before: string[] = []) => [...before, value]);
    else command.option(flag, description ?? '');
  }
  return command.parse([...argv]).opts();
}

/** Options with lists of values. */
const repeatable: ReadonlySet<string> = new Set([
  ...['label', 'allowNetwork', 'readableFolder', 'writableFolder'],
]);

const flagOf = (key: string): string => key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** The options in the form of variables, so that one schema validates both. */
export function asVariables(options: Options): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(options).map(([key, value]) => [
      environmentName(variablePrefix, [key]),
      typeof value === 'string' ? value : JSON.stringify(value),
    ]),
  );
}

/** The error with the name that the user used: the option's if the value came from an option. */
export function byOption(error: unknown, options: Options): unknown {
  if (!isDomainError(error)) return error;
  const message = Object.keys(settingsSchema.shape).reduce((text, key) => {
    const variable = environmentName(variablePrefix, [key]);
    const flag = `--${flagOf(key)}`;
    return text.replaceAll(
      new RegExp(`\\b${variable}\\b`, 'g'),
      key in options ? flag : `${flag} (or ${variable})`,
    );
  }, error.message);
  return new DomainError(error.code, message, error.details, { cause: error });
}
