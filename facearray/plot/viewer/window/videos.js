// The list of videos: search, choices, a page of buttons. Texts of the store are only ever set as text.

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value)
  made.append(...children)
  return made
}

function labelled(text, control) {
  return element("label", {}, element("span", {}, text), control)
}

function choice(model, name, entries) {
  const select = element("select", {"data-choice": name})
  for (const entry of entries) select.append(element("option", {value: entry}, entry))
  select.value = model[name]
  select.addEventListener("change", () => { model[name] = select.value })
  model.on(name, () => { select.value = model[name] })
  return select
}

function duration(seconds) {
  if (seconds == null) return ""
  const whole = Math.round(seconds)
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`
}

function isTyping(event) {
  const target = event.composedPath()[0]
  return /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName ?? "") && !["range", "checkbox"].includes(target.type)
}

export function render({model}) {
  const search = element("input", {type: "search", placeholder: "words of the name", "aria-keyshortcuts": "/", maxlength: 200})
  search.value = model.query
  let waiting
  search.addEventListener("input", () => {
    clearTimeout(waiting)
    waiting = setTimeout(() => { model.query = search.value }, 150)
  })
  const form = element("div", {class: "search", role: "search"},
    labelled("Search ( / )", search),
    labelled("Status", choice(model, "state", model.states)),
    labelled("Order", choice(model, "order", model.orders)))
  const said = element("p", {role: "status", class: "said"})
  const list = element("ul", {class: "videos"})
  const back = element("button", {type: "button"}, "Previous page")
  const next = element("button", {type: "button"}, "Next page")
  const where = element("span", {})
  back.addEventListener("click", () => { model.page = model.page - 1 })
  next.addEventListener("click", () => { model.page = model.page + 1 })

  function card(entry) {
    const picture = element("img", {loading: "lazy", alt: "", width: 80, height: 45, src: `./thumbnail/${entry.row}`})
    picture.addEventListener("error", () => {
      picture.replaceWith(element("span", {class: "no-picture", title: "its video is not here"}, "no picture"))
    }, {once: true})
    const quality = element("span", {class: "quality", "data-quality": entry.row})
    const facts = [entry.status, `${entry.frames} frames`, duration(entry.seconds)].filter((text) => text)
    const about = element("span", {class: "facts"}, element("span", {class: `state ${entry.status}`}, facts[0]),
      ` · ${facts.slice(1).join(" · ")}`, quality)
    const button = element("button", {type: "button", class: "video", "data-row": entry.row},
      picture, element("span", {class: "about"}, element("span", {class: "label"}, entry.label), about))
    if (entry.error) button.title = entry.error
    button.addEventListener("click", () => { model.chosen = entry.row })
    return element("li", {}, button)
  }

  function mark() {
    for (const button of list.querySelectorAll("button.video")) {
      if (Number(button.dataset.row) === model.chosen) button.setAttribute("aria-current", "true")
      else button.removeAttribute("aria-current")
    }
  }

  function rate() {
    for (const quality of list.querySelectorAll("[data-quality]")) {
      const share = model.rates[quality.dataset.quality]
      quality.textContent = share == null ? "" : ` · a face in ${(100 * share).toFixed(0)} %`
    }
  }

  function draw() {
    list.replaceChildren(...model.entries.map(card))
    said.textContent = model.said
    where.textContent = `${model.page + 1} of ${model.pages}`
    back.disabled = model.page <= 0
    next.disabled = model.page >= model.pages - 1
    mark()
    rate()
  }

  list.addEventListener("keydown", (event) => {
    const step = {ArrowDown: 1, ArrowUp: -1}[event.key]
    if (!step) return
    const buttons = [...list.querySelectorAll("button.video")]
    const target = buttons[buttons.indexOf(event.composedPath()[0]) + step]
    if (target) {
      target.focus()
      event.preventDefault()
    }
  })
  const shortcut = (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) return
    search.focus()
    event.preventDefault()
  }
  document.addEventListener("keydown", shortcut)
  model.on("remove", () => document.removeEventListener("keydown", shortcut))
  model.on("entries", draw)
  model.on("said", () => { said.textContent = model.said })
  model.on("chosen", mark)
  model.on("rates", rate)
  draw()
  return element("section", {"aria-label": "Videos"}, form, said, list,
    element("div", {class: "pages"}, back, where, next))
}
