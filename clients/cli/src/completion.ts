/** Shell completions, derived from the commands. */
import type { Command } from 'commander';

/** Supported shells. */
export const shells = ['bash', 'zsh', 'fish'] as const;

/** A supported shell. */
export type Shell = (typeof shells)[number];

interface Word {
  readonly name: string;
  readonly about: string;
  readonly flags: readonly string[];
}

/** The completion script for a shell. Its first line says how to load it. */
export function completionScript(program: Command, shell: Shell): string {
  const globalFlags = flagsOf(program);
  const words = program.commands.map((command): Word => ({
    name: command.name(),
    about: command.description(),
    flags: [...flagsOf(command), ...globalFlags],
  }));
  if (shell === 'bash') return bash(words, globalFlags);
  return shell === 'zsh' ? zsh(words, globalFlags) : fish(words, globalFlags);
}

function flagsOf(command: Command): readonly string[] {
  return [...command.options.flatMap(({ long }) => (long ? [long] : [])), '--help'];
}

function bash(words: readonly Word[], globalFlags: readonly string[]): string {
  const cases = words
    .map(({ name, flags }) => `    ${name}) words="${[...new Set(flags)].join(' ')}" ;;`)
    .join('\n');
  return `# Load with: source <(rhizome completion bash)
_rhizome() {
  local current="\${COMP_WORDS[COMP_CWORD]}" words
  case "\${COMP_WORDS[1]}" in
${cases}
    *) words="${[...words.map(({ name }) => name), ...globalFlags].join(' ')}" ;;
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then words="${words.map(({ name }) => name).join(' ')}"; fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _rhizome rhizome
`;
}

function zsh(words: readonly Word[], globalFlags: readonly string[]): string {
  const quoted = (text: string) => text.replaceAll("'", "'\\''").replaceAll(':', '\\:');
  const commands = words.map(({ name, about }) => `    '${name}:${quoted(about)}'`).join('\n');
  const cases = words
    .map(({ name, flags }) => `    ${name}) compadd -- ${[...new Set(flags)].join(' ')}; _files ;;`)
    .join('\n');
  return `#compdef rhizome
# Load with: source <(rhizome completion zsh)
_rhizome() {
  local -a commands
  commands=(
${commands}
  )
  if (( CURRENT == 2 )); then _describe command commands; return; fi
  case "$words[2]" in
${cases}
    *) compadd -- ${globalFlags.join(' ')} ;;
  esac
}
compdef _rhizome rhizome
`;
}

function fish(words: readonly Word[], globalFlags: readonly string[]): string {
  const quoted = (text: string) => text.replaceAll("'", "\\'");
  const lines = words.flatMap(({ name, about, flags }) => [
    `complete -c rhizome -n __fish_use_subcommand -a ${name} -d '${quoted(about)}'`,
    ...[...new Set(flags)].map(
      (flag) => `complete -c rhizome -n '__fish_seen_subcommand_from ${name}' -l ${flag.slice(2)}`,
    ),
  ]);
  return `# Load with: rhizome completion fish | source\n${[...lines, ...globalFlags.map((flag) => `complete -c rhizome -l ${flag.slice(2)}`)].join('\n')}\n`;
}
