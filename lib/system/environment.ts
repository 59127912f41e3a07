/** Environment variables. One that is set to nothing is one that is not set: containers and CI files leave many so. */

export function variable(name: string): string | undefined {
  const value = process.env[name]?.trim();
  return value === '' ? undefined : value;
}

/** Those whose names begin so, in either case of letters, but those that are set to nothing. */
export function variablesBelow(prefix: string): [name: string, value: string][] {
  return Object.keys(process.env)
    .filter((name) => name.toLowerCase().startsWith(prefix))
    .map((name) => [name, variable(name)] as const)
    .filter((pair): pair is [string, string] => pair[1] !== undefined);
}

/** For this process and those that it starts. */
export function setVariable(name: string, value: string): void {
  process.env[name] = value;
}

/** Whether a switch is on, as the hub's own tools read it. */
export function isOn(name: string): boolean {
  return /^(1|on|yes|true)$/i.test(variable(name) ?? '');
}
