/** Shell completions, derived from the commands. */
import type { Command } from 'commander';

/** Supported shells. */
export const shells = ['bash', 'zsh', 'fish'] as const;

/** A supported shell. */
export type Shell = (typeof shells)[number];

interface Completed {
  readonly name: string;
  readonly about: string;
  readonly flags: readonly string[];
  /** Commands below it, such as `schema publish`. */
  readonly commands: readonly Completed[];
}

/** The completion script for a shell. Its first line says how to load it. */
export function completionScript(program: Command, shell: Shell): string {
  const globalFlags = flagsOf(program);
  const commands = program.commands.map((command) => completed(command, globalFlags));
  if (shell === 'bash') return bash(commands, globalFlags);
  return shell === 'zsh' ? zsh(commands, globalFlags) : fish(commands, globalFlags);
}

function completed(command: Command, globalFlags: readonly string[]): Completed {
  return {
    name: command.name(),
    about: command.description(),
    flags: [...new Set([...flagsOf(command), ...globalFlags])],
    commands: command.commands.map((below) => completed(below, globalFlags)),
  };
}

function flagsOf(command: Command): readonly string[] {
  return [...command.options.flatMap(({ long }) => (long ? [long] : [])), '--help'];
}

const namesOf = (commands: readonly Completed[]): readonly string[] => commands.map(({ name }) => name);

/** Pairs of a command and one below it. */
const nested = (commands: readonly Completed[]) =>
  commands.flatMap((parent) => parent.commands.map((command) => ({ parent, command })));

function bash(commands: readonly Completed[], globalFlags: readonly string[]): string {
  const pairs = nested(commands);
  const both = pairs.map(({ parent, command }) => `'${parent.name} ${command.name}'`).join('|');
  const cases = [
    ...pairs.map(
      ({ parent, command }) => `    '${parent.name} ${command.name}') words="${command.flags.join(' ')}" ;;`,
    ),
    ...commands.map(
      ({ name, flags, commands: below }) =>
        `    ${name}) words="${[...namesOf(below), ...flags].join(' ')}" ;;`,
    ),
  ];
  return `# Load with: source <(rhizome completion bash)
_rhizome() {
  local current="\${COMP_WORDS[COMP_CWORD]}" command="\${COMP_WORDS[1]}" words
  if [ "$COMP_CWORD" -gt 2 ]; then
    case "$command \${COMP_WORDS[2]}" in
    ${both}) command="$command \${COMP_WORDS[2]}" ;;
    esac
  fi
  case "$command" in
${cases.join('\n')}
    *) words="${[...namesOf(commands), ...globalFlags].join(' ')}" ;;
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then words="${namesOf(commands).join(' ')}"; fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _rhizome rhizome
`;
}

function zsh(commands: readonly Completed[], globalFlags: readonly string[]): string {
  const quoted = (text: string) => text.replaceAll("'", "'\\''").replaceAll(':', '\\:');
  const described = (of: readonly Completed[]) =>
    of.map(({ name, about }) => `'${name}:${quoted(about)}'`).join(' ');
  const cases = [
    ...nested(commands).map(
      ({ parent, command }) =>
        `    '${parent.name} ${command.name}') compadd -- ${command.flags.join(' ')}; _files ;;`,
    ),
    ...commands.map(({ name, flags, commands: below }) => {
      const first = below.length === 0 ? '' : `commands=(${described(below)}); _describe command commands; `;
      return `    '${name} '*) ${first}compadd -- ${flags.join(' ')}; _files ;;`;
    }),
  ];
  return `#compdef rhizome
# Load with: source <(rhizome completion zsh)
_rhizome() {
  local -a commands
  local given=""
  if (( CURRENT == 2 )); then
    commands=(${described(commands)})
    _describe command commands
    return
  fi
  if (( CURRENT > 3 )); then given="$words[3]"; fi
  case "$words[2] $given" in
${cases.join('\n')}
    *) compadd -- ${globalFlags.join(' ')} ;;
  esac
}
compdef _rhizome rhizome
`;
}

function fish(commands: readonly Completed[], globalFlags: readonly string[]): string {
  const quoted = (text: string) => text.replaceAll("'", "\\'");
  const offer = (condition: string, { name, about }: Completed) =>
    `complete -c rhizome -n '${condition}' -a ${name} -d '${quoted(about)}'`;
  const flagLines = (condition: string, flags: readonly string[]) =>
    flags.map((flag) => `complete -c rhizome -n '${condition}' -l ${flag.slice(2)}`);
  const seen = '__fish_seen_subcommand_from';
  const lines = commands.flatMap((command) => [
    offer('__fish_use_subcommand', command),
    ...flagLines(`${seen} ${command.name}`, command.flags),
    ...command.commands.flatMap((below) => [
      offer(`${seen} ${command.name}; and not ${seen} ${namesOf(command.commands).join(' ')}`, below),
      ...flagLines(`${seen} ${command.name}; and ${seen} ${below.name}`, below.flags),
    ]),
  ]);
  const all = [...lines, ...globalFlags.map((flag) => `complete -c rhizome -l ${flag.slice(2)}`)];
  return `# Load with: rhizome completion fish | source\n${all.join('\n')}\n`;
}
