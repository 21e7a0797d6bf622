import { readFile } from 'node:fs/promises'

/**
 * Reads a steps.txtar: its cases by name, each with its sections by name. A
 * section called "eu/settings.json" belongs to the case "eu", one without a
 * slash to the case "default".
 */
export async function readSteps(file) {
  const cases = {}
  let section
  for (const line of (await readFile(file, 'utf8')).split('\n')) {
    const header = /^-- (?:([\w-]+)\/)?([\w.-]+) --$/.exec(line)
    if (header) {
      const sections = (cases[header[1] ?? 'default'] ??= {})
      if (header[2] in sections) throw new Error(`${file}: section ${line} is there twice`)
      section = (text) => { sections[header[2]] = (sections[header[2]] ?? '') + text + '\n' }
      sections[header[2]] = ''
    } else if (section) section(line)
  }
  for (const [name, sections] of Object.entries(cases)) {
    for (const need of ['settings.json', 'expect.json']) {
      if (!(need in sections)) throw new Error(`${file}: case ${name} has no section ${need}`)
    }
    for (const key of Object.keys(sections)) {
      if (!['settings.json', 'calls.js', 'fake.js', 'responses.json', 'expect.json'].includes(key)) {
        throw new Error(`${file}: case ${name}: nobody reads the section ${key}`)
      }
      if (key.endsWith('.json')) {
        try {
          sections[key] = JSON.parse(sections[key])
        } catch (e) {
          throw new Error(`${file}: case ${name}: ${key}: ${e.message}`)
        }
      }
    }
  }
  return cases
}
