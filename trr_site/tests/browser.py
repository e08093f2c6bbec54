"""What a person does with a browser, in a person's words."""

from collections.abc import Callable
from typing import Any, TypeVar

from axe_core_python.base import AXE_SCRIPT
from django.urls import reverse
from django.utils.module_loading import import_string
from django_q.models import OrmQ
from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait

T = TypeVar("T")
PATIENCE = 15  # seconds


class Browser:
    def __init__(self, driver: webdriver.Chrome, site: str) -> None:
        self.driver, self.site = driver, site
        # A page that names no icon; and the live server of these tests speaks HTTP alone: pages ask instead.
        self.expected = ["favicon.ico", "/api/v1/ws/sync"]

    # --- going somewhere

    def forget(self) -> None:
        """As a browser that was never here."""
        self.driver.get(f"{self.site}/health")
        self.driver.delete_all_cookies()
        self.driver.execute_script("localStorage.clear(); sessionStorage.clear()")
        self.driver.get_log("browser")

    def open(self, name: str, *args: Any, query: str = "") -> None:
        self.driver.get(f"{self.site}{reverse(f'admin:{name}', args=args)}{query}")

    def log_in(self, username: str, password: str) -> None:
        self.open("index")
        self.fill("id_username", username)
        self.fill("id_password", password)
        self.press(Keys.ENTER)
        self.wait(lambda: "/login/" not in self.driver.current_url)

    def dark(self) -> None:
        self.driver.execute_script("localStorage.setItem('adminTheme', '\"dark\"')")
        self.driver.refresh()

    def light(self) -> None:
        self.driver.execute_script("localStorage.setItem('adminTheme', '\"light\"')")
        self.driver.refresh()

    def new_window(self) -> None:
        self.driver.switch_to.new_window("tab")

    def window(self, number: int) -> None:
        self.driver.switch_to.window(self.driver.window_handles[number])

    def close_other_windows(self) -> None:
        first, *others = self.driver.window_handles
        for handle in others:
            self.driver.switch_to.window(handle)
            self.driver.close()
        self.driver.switch_to.window(first)

    # --- finding

    def find(self, css: str) -> WebElement:
        return self.wait(lambda: self.driver.find_element(By.CSS_SELECTOR, css))

    def all(self, css: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def button(self, text: str) -> WebElement:
        """The visible button or link that reads so."""
        named = f"[normalize-space()={text!r}]"
        path = f"//*[self::button or self::a or self::summary]{named} | //input[@type='submit'][@value={text!r}]"

        def visible() -> WebElement | None:
            return next((one for one in self.driver.find_elements(By.XPATH, path) if one.is_displayed()), None)

        return self.wait(visible, f"no button {text!r} at {self.driver.current_url}")

    def text(self) -> str:
        return self.driver.find_element(By.TAG_NAME, "body").text

    def shows(self, text: str) -> bool:
        """Waits until the page reads so."""
        self.wait(lambda: text in self.text(), f"the page never read {text!r}")
        return True

    def wait(self, what: Callable[[], T], message: str = "") -> Any:
        waiting = WebDriverWait(
            self.driver, PATIENCE, ignored_exceptions=(NoSuchElementException, StaleElementReferenceException)
        )
        return waiting.until(lambda _: what(), message or f"at {self.driver.current_url}")

    # --- acting

    def click(self, css: str) -> None:
        element = self.find(css)
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()

    def click_text(self, text: str) -> None:
        element = self.button(text)
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()

    def fill(self, element_id: str, text: str) -> None:
        element = self.find(f"#{element_id}")
        element.clear()
        element.send_keys(text)

    def choose(self, css: str, text: str) -> None:
        """The answer of a select that reads so, or begins so."""
        select = Select(self.find(css))
        select.select_by_visible_text(
            next(one.text for one in select.options if one.text.strip().casefold().startswith(text.casefold()))
        )

    def press(self, *keys: str) -> None:
        """Keys to whatever has the focus, as a keyboard does."""
        ActionChains(self.driver).send_keys(*keys).perform()

    def chord(self, modifier: str, key: str) -> None:
        ActionChains(self.driver).key_down(modifier).send_keys(key).key_up(modifier).perform()

    def focus(self, css: str) -> None:
        self.driver.execute_script("arguments[0].focus()", self.find(css))

    # --- judging

    def console_errors(self) -> list[str]:
        """What the pages complained of, but for answers that the test expects (`expected`: parts of the message)."""
        messages = [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]
        return [message for message in messages if not any(part in message for part in self.expected)]

    def violations(self, *rules: str) -> list[str]:
        """What axe-core finds wrong with the page for people who see, hear or move otherwise: by these rules, else by
        all of WCAG 2 A and AA."""
        self.driver.execute_script(AXE_SCRIPT)
        result = self.driver.execute_async_script(
            "const done = arguments[arguments.length - 1];"
            "axe.run(document, {runOnly: arguments[0]}).then(done, error => done({error: String(error)}));",
            list(rules) or ["wcag2a", "wcag2aa"],
        )
        assert "error" not in result, result["error"]
        return [
            f"{violation['id']}: {node['target']} {node['html'][:160]} {node['failureSummary'][:240]}"
            for violation in result["violations"]
            for node in violation["nodes"]
        ]


def work_off_queue() -> int:
    """Does what a worker would do with the queued tasks; how many there were."""
    rows = list(OrmQ.objects.all())
    for row in rows:
        task = row.task
        import_string(task["func"])(*task["args"], **task["kwargs"])
        row.delete()
    return len(rows)
