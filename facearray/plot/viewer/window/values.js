// What was measured in the frame that is shown, as texts.

export function render({model}) {
  const table = document.createElement("table")
  const caption = document.createElement("caption")
  const body = document.createElement("tbody")
  table.append(caption, body)

  function draw() {
    caption.textContent = model.caption
    body.replaceChildren(...model.values.map(([name, value]) => {
      const row = document.createElement("tr")
      const head = document.createElement("th")
      head.scope = "row"
      head.textContent = name
      const cell = document.createElement("td")
      cell.textContent = value
      row.append(head, cell)
      return row
    }))
  }
  model.on("values", draw)
  model.on("caption", draw)
  draw()
  return table
}
